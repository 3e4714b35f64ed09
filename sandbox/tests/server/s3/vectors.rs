//! The sums that a real server gave for bodies of many sizes.

use std::path::PathBuf;

use serde_json::Value;

use crate::s3::client::{Answer, Ask, ask, pattern, put, sandbox, wait_for};
use crate::s3::parts::{begin, complete, part};

#[test]
fn etags_and_hashes_are_those_of_the_real_server() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/s3/hash-vectors.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let sandbox = sandbox();
    let (key, hash_of) = ("common-files/vector.bin", |key: &str| sandbox.tree().hash(key));
    for vector in vectors["vectors"].as_array().unwrap() {
        let size = usize::try_from(vector["size"].as_u64().unwrap()).unwrap();
        let content = pattern(size);
        let answer = put(key, content.clone()).send(&sandbox).expect(200);
        assert_eq!(answer.etag(), vector["single_put"]["etag"], "PUT of {size} bytes");
        let hash = vector["single_put"]["server_x_cells_hash"].as_str().unwrap();
        wait_for("the hash", || hash_of(key).as_deref() == Some(hash));
        for (part_size, expected) in vector["multipart"].as_object().unwrap() {
            let part_size = part_size.trim_end_matches("MiB").parse::<usize>().unwrap() << 20;
            let id = begin(&sandbox, key);
            let etags: Vec<(u32, String)> = content
                .chunks(part_size)
                .zip(1..)
                .map(|(chunk, number)| (number, part(&sandbox, key, &id, number, chunk)))
                .collect();
            let answer = complete(&sandbox, key, &id, &etags).expect(200);
            assert_eq!(answer.etag(), expected["etag"], "{size} bytes in parts of {part_size}");
            assert_eq!(answer.element("ETag"), format!("&#34;{}&#34;", answer.etag()));
            let hash = expected["server_x_cells_hash"].as_str().unwrap();
            wait_for("the hash", || hash_of(key).as_deref() == Some(hash));
        }
    }
}

#[test]
fn a_large_body_comes_back_as_it_went() {
    let sandbox = sandbox();
    let mut content = pattern(7 << 20);
    content[1 << 20..3 << 20].fill(0);
    put("common-files/large.bin", content.clone()).send(&sandbox).expect(200);
    let whole: Answer = ask("GET", "common-files/large.bin").send(&sandbox).expect(200);
    assert!(whole.body == content);
    let range: Ask = ask("GET", "common-files/large.bin").header("Range", "bytes=1048000-4000000");
    let range = range.send(&sandbox).expect(206);
    assert!(range.body == content[1_048_000..=4_000_000]);
}
