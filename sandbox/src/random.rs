//! Random identifiers in the shapes the real server uses.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A random (version 4) UUID.
pub(crate) fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// 32 hexadecimal digits: what the real server uses as the etag of a folder.
pub(crate) fn folder_etag() -> String {
    hex(&rand::random::<[u8; 16]>())
}

/// An opaque token: two runs of 43 base64url characters with a dot between.
pub(crate) fn token() -> String {
    let half = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    format!("{}.{}", half(), half())
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}
