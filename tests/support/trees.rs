//! Local contents and trees, for the tests that send them and compare what comes back.

#![allow(dead_code, reason = "no target uses all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Bytes that differ from place to place.
pub(crate) fn content(size: u64) -> Vec<u8> {
    let words = (0..size.div_ceil(8)).map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    let mut bytes = words.collect::<Vec<_>>().concat();
    bytes.truncate(size as usize);
    bytes
}

/// Writes a file, folders included.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("a file");
}

/// A local tree as a map from relative path to content; folders end with a slash and have none.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            if path.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                waiting.push(path);
            } else {
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}
