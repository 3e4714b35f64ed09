//! The building blocks of false data.

use super::Malice;
use super::random::Random;

/// What comes in place of a document.
pub(super) const OTHER_DOCUMENTS: [&str; 16] = [
    "",
    "null",
    "[]",
    "{}",
    "\"x\"",
    "5",
    "true",
    "1e999",
    "{\"",
    "[{}]",
    "{},{}",
    "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    "<?xml version=\"1.0\"?><a/>",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;&b;\">]><a>&c;</a>",
    "OK",
    "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}",
];

/// Statuses that are sent with any body.
pub(super) const STATUSES: [u16; 24] = [
    201, 202, 204, 205, 206, 300, 304, 400, 401, 403, 404, 405, 409, 412, 413, 416, 422, 423, 429, 500, 501, 502, 503,
    504,
];

/// Texts that act on a terminal or on a line.
pub(super) const ESCAPES: [&str; 12] = [
    "\u{1b}[31mred",
    "\u{1b}]0;owned\u{7}",
    "\u{9b}31m",
    "\u{9d}0;owned\u{9c}",
    "\u{202e}gpj.exe",
    "\u{2066}in\u{2069}",
    "line\nerror: forged",
    "over\rwritten",
    "\u{8}\u{8}\u{7f}",
    "tab\tbed",
    "\u{200f}\u{200e}\u{61c}",
    "\u{1b}P\u{1b}\\\u{1b}_x\u{1b}\\",
];

/// Numbers in JSON. Some are not valid.
pub(super) const NUMBERS: [&str; 14] = [
    "-1",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e300",
    "1e999",
    "-0",
    "0.5",
    "NaN",
    "0x10",
    "00",
    "4294967296",
];

/// Returns a name that no node should have.
pub(super) fn name(random: &mut Random, malice: &Malice) -> String {
    let outside = &malice.outside;
    match random.below(26) {
        0 => "..".to_owned(),
        1 => ".".to_owned(),
        2 => String::new(),
        3 => "../pwned".to_owned(),
        4 => "../../pwned".to_owned(),
        5 => format!("{outside}/pwned"),
        6 => format!("/../../../../../../../../../..{outside}/pwned"),
        7 => "nul\u{0}byte".to_owned(),
        8 => "back\\..\\..\\slash".to_owned(),
        9 => ".bashrc".to_owned(),
        10 => ".ssh".to_owned(),
        11 => ".cec-21c83db663c0a3fa.part".to_owned(),
        12 => "x".repeat(256),
        13 => "long".repeat(2500),
        14 => format!("$(touch {outside}/pwned)"),
        15 => format!("`touch {outside}/pwned`;'\""),
        16 => "-rf".to_owned(),
        17 => "~".to_owned(),
        18 => "%2e%2e%2fpwned".to_owned(),
        19 => "b.txt".to_owned(),
        20 => "recycle_bin".to_owned(),
        21 => "*".to_owned(),
        22 => "e\u{301}\u{fffd}\u{ffff}".to_owned(),
        23 => "a/b/../../..".to_owned(),
        24 => "CON".to_owned(),
        _ => format!("evil{}", random.choose(&ESCAPES)),
    }
}

/// Returns a text that is not a name.
pub(super) fn text(random: &mut Random) -> String {
    match random.below(16) {
        0 => "long \u{1b}[5m".repeat(2000),
        1 => ESCAPES.concat(),
        _ => format!("x{}", random.choose(&ESCAPES)),
    }
}
