<?php
// Draw CAPTCHAs with Gregwar/Captcha (Debian: php-gregwar-captcha) into a folder with labels.csv.
//
//     php draw.php --count 500 --out FOLDER [--seed S] [--charset CHARACTERS] [--length 5] [--width 150] [--height 40]
//
// The package draws its chances from mt_rand, which is seeded here for each image: a seed gives the same folder each
// time (for the same versions of it, PHP and GD).

declare(strict_types=1);

if (!@include_once 'Gregwar/Captcha/autoload.php') {
    fwrite(STDERR, "expected the PHP library Gregwar/Captcha, found none\n");
    exit(3);
}

use Gregwar\Captcha\CaptchaBuilder;

$names = ['count:', 'out:', 'seed:', 'charset:', 'length:', 'width:', 'height:'];
$given = getopt('', $names) + [
    'seed' => '0',
    'charset' => 'abcdefghijklmnopqrstuvwxyz0123456789',
    'length' => '5',
    'width' => '150',
    'height' => '40',
];
$lengths = array_map('intval', explode('-', $given['length']));
$shortest = $lengths[0];
$longest = $lengths[1] ?? $shortest;
$count = (int) ($given['count'] ?? 0);
$out = $given['out'] ?? '';
if ($count < 1 || $out === '' || $shortest < 1 || $longest < $shortest || $given['charset'] === '') {
    fwrite(STDERR, "expected --count N --out FOLDER, and a --length such as 5 or 4-6, shortest first\n");
    exit(2);
}
if (!is_dir($out) && !mkdir($out, 0777, true)) {
    exit(3);
}

$rows = "filename,label\n";
for ($number = 0; $number < $count; $number++) {
    mt_srand(crc32("{$given['seed']}/$number"));
    $text = '';
    for ($left = mt_rand($shortest, $longest); $left > 0; $left--) {
        $text .= $given['charset'][mt_rand(0, strlen($given['charset']) - 1)];
    }
    $name = sprintf('%05d.jpg', $number);
    (new CaptchaBuilder($text))->build((int) $given['width'], (int) $given['height'])->save("$out/$name", 90);
    $rows .= "$name,$text\n";
}
file_put_contents("$out/labels.csv", $rows);
fwrite(STDERR, "$count images in $out\n");
