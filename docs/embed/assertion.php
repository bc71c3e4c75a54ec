<?php
// An assertion that opens the portal in your page. PHP 8 with its own `sodium` extension.
//
//   PORTAL_KEY_FILE=portal-key.pem PORTAL_KEY_ID=2026-11 PORTAL_SLUG=horecaplus \
//   PORTAL_URL=https://abonnement.example PORTAL_ORIGIN=https://espace.horecaplus.example \
//   php assertion.php HP-20041 marcel@chezmarcel.example owner
//
// Call it from an address of your own site that only a signed-in client can reach, and answer the text:
//
//   header('Content-Type: text/plain');
//   echo assertion($client->reference, $client->email, 'owner', getenv());

function assertion(string $reference, string $user, string $role, array $settings, string $locale = 'fr'): string
{
    $now = time();
    $header = ['alg' => 'EdDSA', 'typ' => 'pf-embed+jwt', 'kid' => $settings['PORTAL_KEY_ID']];
    $claims = [
        'iss' => $settings['PORTAL_SLUG'],
        'aud' => $settings['PORTAL_URL'],
        'sub' => $reference,
        'user' => $user,
        'role' => $role,
        'origin' => $settings['PORTAL_ORIGIN'],
        'locale' => $locale,
        'iat' => $now,
        'exp' => $now + 60,
        'jti' => bin2hex(random_bytes(16)),
    ];
    $text = part(json_encode($header)) . '.' . part(json_encode($claims, JSON_UNESCAPED_SLASHES));
    // The last 32 bytes of a PKCS#8 Ed25519 key are its seed (RFC 8410).
    $pem = preg_replace('/-----[^-]+-----|\s/', '', file_get_contents($settings['PORTAL_KEY_FILE']));
    $pair = sodium_crypto_sign_seed_keypair(substr(base64_decode($pem), -32));
    return $text . '.' . part(sodium_crypto_sign_detached($text, sodium_crypto_sign_secretkey($pair)));
}

function part(string $content): string
{
    return rtrim(strtr(base64_encode($content), '+/', '-_'), '=');
}

if (isset($argv) && realpath($argv[0]) === __FILE__) {
    echo assertion($argv[1], $argv[2], $argv[3], getenv()), "\n";
}
