//! Every exchange that was recorded on a real server, and that this one covers, asked again.
//!
//! The requests are sent as they were recorded, to a lax server, which is what was recorded. Those
//! with an ordinary signature are asked of a strict server too, signed anew.

use std::path::PathBuf;
use std::time::Duration;

use cells_sandbox::{Sandbox, TokenKind};
use serde_json::Value;

use crate::s3::client::{Answer, Ask, ask, pattern, put, start, timestamp};
use crate::s3::compare::{differences, names};

/// A recording, and what must be there before it is asked again.
struct Case {
    file: &'static str,
    /// Gives the id of the upload that the request is about, if it is about one.
    prepare: fn(&Sandbox) -> String,
    /// Only the lax server answers like this.
    lax: bool,
    /// Whether the recorded time is kept.
    stale: bool,
}

const fn case(file: &'static str, prepare: fn(&Sandbox) -> String) -> Case {
    Case { file, prepare, lax: false, stale: false }
}

impl Case {
    const fn lax(self) -> Self {
        Self { lax: true, ..self }
    }

    const fn stale(self) -> Self {
        Self { stale: true, lax: true, ..self }
    }
}

fn nothing(_: &Sandbox) -> String {
    String::new()
}

fn file(sandbox: &Sandbox, key: &str, content: impl Into<Vec<u8>>) -> String {
    put(key, content).by("alice").send(sandbox).expect(200);
    String::new()
}

fn first_text(sandbox: &Sandbox) -> String {
    file(sandbox, "common-files/A3/first.txt", "hello")
}

fn old_a(sandbox: &Sandbox) -> String {
    file(sandbox, "common-files/A3/put/a.txt", "old content")
}

fn f_bin(sandbox: &Sandbox) -> String {
    file(sandbox, "personal-files/A3/get/f.bin", pattern(1_048_699))
}

fn get_folder(sandbox: &Sandbox) -> String {
    file(sandbox, "personal-files/A3/get/z", "")
}

fn w_text(sandbox: &Sandbox) -> String {
    file(sandbox, "personal-files/A3/misc/w.txt", "x")
}

fn locked(sandbox: &Sandbox) -> String {
    sandbox.tree().mkdir("common-files/A3").unwrap();
    sandbox.lock("common-files/A3", Duration::from_secs(60)).unwrap();
    String::new()
}

/// Begins an upload and sends these parts: number and content.
fn upload(sandbox: &Sandbox, key: &str, parts: &[(u32, &[u8])]) -> String {
    let id = ask("POST", key).query("uploads", "").by("alice").send(sandbox).element("UploadId");
    for (number, content) in parts {
        let part = put(key, *content).by("alice").query("partNumber", &number.to_string());
        part.query("uploadId", &id).send(sandbox).expect(200);
    }
    id
}

/// Begins and ends an upload of one small part.
fn finished(sandbox: &Sandbox, key: &str) -> String {
    let id = upload(sandbox, key, &[(1, b"x")]);
    complete(sandbox, key, &id, &[(1, "9dd4e461268c8034f5c8564e155c67a6")]).expect(200);
    id
}

fn complete(sandbox: &Sandbox, key: &str, id: &str, parts: &[(u32, &str)]) -> Answer {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let list = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    ask("POST", key).query("uploadId", id).by("alice").body(list).send(sandbox)
}

/// Two parts of 10 MiB of the recorded content.
fn blocks() -> (Vec<u8>, Vec<u8>) {
    let mut first = pattern(20 << 20);
    let second = first.split_off(10 << 20);
    (first, second)
}

fn demo(sandbox: &Sandbox) -> String {
    let folder = "personal-files/A3/list-demo";
    file(sandbox, &format!("{folder}/a.txt"), "hello");
    file(sandbox, &format!("{folder}/.hidden"), "h");
    file(sandbox, &format!("{folder}/zero"), "");
    file(sandbox, &format!("{folder}/sub/b & c.txt"), "x");
    upload(sandbox, &format!("{folder}/pending.bin"), &[])
}

const CASES: &[Case] = &[
    case("001-put-unsigned", nothing),
    case("002-get-header-sigv4", first_text),
    case("003-get-idtoken-accesskey", first_text).lax(),
    case("004-wrong-secret", first_text).lax(),
    case("005-wrong-region", first_text).lax(),
    case("006-old-date", first_text).stale(),
    case("007-bearer", first_text).lax(),
    case("008-x-pydio-bearer", first_text).lax(),
    case("009-x-pydio-bearer-put", first_text).lax(),
    case("010-pydio_jwt-get", first_text).lax(),
    case("011-gateway-key-wrong-secret", first_text).lax(),
    case("012-presigned-pat", first_text).lax(),
    case("013-presigned-pydio_jwt-get", first_text).lax(),
    case("013-presigned-pydio_jwt-put", first_text).lax(),
    case("014-sigv2", first_text).lax(),
    case("015-no-auth", first_text).lax(),
    case("016-bad-token", first_text).lax(),
    case("017-expired-token", first_text).lax(),
    case("018-expired-token-head", first_text).lax(),
    case("019-readonly-put", nothing),
    case("020-fake-signature-get", first_text).lax(),
    case("021-fake-signature-put", first_text).lax(),
    case("022-wrong-sha256", old_a),
    case("030-listparts", |sandbox| upload(sandbox, "common-files/A3/lp.bin", &[])),
    case("040-put-sha256", nothing),
    case("041-put-wrong-md5", old_a),
    case("042-put-malformed-md5", old_a),
    case("043-put-wrong-crc32", nothing),
    case("044-put-streaming-signed", nothing),
    case("045-put-streaming-unsigned-trailer", nothing),
    case("046-put-te-chunked", nothing),
    case("047-put-zero", nothing),
    case("048-get-zero", |sandbox| file(sandbox, "common-files/A3/put/zero.txt", "")),
    case("049-put-parent-is-file", |sandbox| file(sandbox, "common-files/A3/put/ow.txt", "x")),
    case("050-put-onto-folder", |sandbox| file(sandbox, "common-files/A3/put/x/y/z", "x")),
    case("051-put-trailing-slash", nothing),
    case("052-put-dot-pydio", nothing),
    case("053-put-onto-workspace", nothing),
    case("054-put-unknown-workspace", nothing),
    case("055-put-other-bucket", nothing),
    case("056-put-parent-locked", locked),
    case("057-mp-create-parent-locked", locked),
    case("060-put-tagging-not-implemented", nothing),
    case("062-put-quota", |sandbox| {
        sandbox.s3().set_quota("common-files", Some(4_000));
        String::new()
    }),
    case("063-put-content-locked", |sandbox| {
        sandbox.s3().lock_content("common-files/ok.txt", "admin");
        file(sandbox, "common-files/other.txt", "x")
    }),
    case("064-put-wrong-base-url", nothing),
    case("070-mp-create", nothing),
    case("071-mp-part", |sandbox| upload(sandbox, "personal-files/A3/mp/ok.bin", &[])),
    case("072-mp-complete", |sandbox| {
        let (first, second) = blocks();
        let third = &pattern(25 << 20)[20 << 20..];
        let parts = [(1, first.as_slice()), (2, second.as_slice()), (3, third)];
        upload(sandbox, "personal-files/A3/mp/ok.bin", &parts)
    }),
    case("073-mp-complete-twice", |sandbox| finished(sandbox, "personal-files/A3/mp/ok.bin")),
    case("074-mp-part-after-complete", |sandbox| finished(sandbox, "personal-files/A3/mp/ok.bin")),
    case("075-mp-abort-after-complete", |sandbox| finished(sandbox, "personal-files/A3/mp/ok.bin")),
    case("076-mp-too-small", |sandbox| {
        let mut first = pattern(2 << 20);
        let second = first.split_off(1 << 20);
        upload(sandbox, "personal-files/A3/mp/small.bin", &[(1, &first), (2, &second)])
    }),
    case("077-mp-complete-wrong-etag", |sandbox| {
        let (first, second) = blocks();
        upload(sandbox, "personal-files/A3/mp/reold.bin", &[(1, &second), (1, &first)])
    }),
    case("078-mp-gap", |sandbox| {
        let (first, second) = blocks();
        upload(sandbox, "personal-files/A3/mp/gap.bin", &[(1, &first), (3, &second)])
    }),
    case("079-mp-unlisted-part", |sandbox| {
        let (first, _) = blocks();
        upload(sandbox, "personal-files/A3/mp/unlisted.bin", &[(1, &first), (2, b"x")])
    }),
    case("080-mp-part-not-uploaded", |sandbox| {
        let (first, _) = blocks();
        upload(sandbox, "personal-files/A3/mp/notup.bin", &[(1, &first)])
    }),
    case("081-mp-order", |sandbox| upload(sandbox, "personal-files/A3/mp/order.bin", &[(1, b"x"), (2, b"y")])),
    case("082-mp-empty-list", |sandbox| upload(sandbox, "personal-files/A3/mp/none.bin", &[])),
    case("083-mp-part-number-10001", |sandbox| upload(sandbox, "personal-files/A3/mp/n.bin", &[])),
    case("084-mp-bad-upload-id", |sandbox| file(sandbox, "personal-files/A3/mp/ok.bin", "x")),
    case("085-mp-part-absent-node", nothing),
    case("086-mp-create-onto-folder", |sandbox| file(sandbox, "personal-files/A3/mp/x", "x")),
    case("087-mp-create-clear-size", nothing),
    case("088-list-multipart-uploads", |sandbox| upload(sandbox, "personal-files/A3/mp2/x", &[])),
    case("089-abort-twice", |sandbox| {
        let key = "personal-files/A3/mp2/lu.bin";
        let id = upload(sandbox, key, &[]);
        ask("DELETE", key).query("uploadId", &id).by("alice").send(sandbox).expect(204);
        id
    }),
    case("090-mp-create-readonly", nothing),
    case("091-mp-part-content-md5", |sandbox| upload(sandbox, "personal-files/A3/same/z.bin", &[])),
    case("092-mp-part-quota", |sandbox| {
        sandbox.s3().set_quota("common-files", Some(4_000));
        upload(sandbox, "common-files/mp.bin", &[])
    }),
    case("094-mp-part-nfd", |sandbox| upload(sandbox, "personal-files/A3/misc/e\u{301}-mp.bin", &[])),
    case("095-listparts-node-gone", |sandbox| {
        let key = "personal-files/A3/misc/gone.bin";
        let id = upload(sandbox, key, &[]);
        ask("DELETE", key).by("alice").send(sandbox).expect(204);
        id
    }),
    case("096-complete-slow-200-whitespace", |sandbox| {
        sandbox.s3().set_heartbeat(Duration::from_millis(100));
        sandbox.s3().set_complete_delay(Duration::from_millis(250));
        upload(sandbox, "personal-files/A3/get/lockc16.bin", &[(1, b"x")])
    }),
    case("100-get", f_bin),
    case("101-get-range", f_bin),
    case("102-get-suffix", f_bin),
    case("103-get-416", f_bin),
    case("104-get-if-match-ignored", f_bin),
    case("105-get-if-none-match-ignored", f_bin),
    case("106-get-missing", get_folder),
    case("107-head-missing", get_folder),
    case("108-get-folder", get_folder),
    case("109-head-folder", get_folder),
    case("110-head-folder-slash", get_folder),
    case("111-get-range-of-empty", get_folder),
    case("113-get-denied-workspace", |sandbox| {
        sandbox.tree().put("a1-priv/x.txt", "x").unwrap();
        String::new()
    }),
    case("114-get-temporary-multipart", |sandbox| upload(sandbox, "personal-files/A3/same/tmp.bin", &[])),
    case("115-head-if-match-412", w_text),
    case("116-head-if-none-match-304", w_text),
    case("124-list-missing", nothing),
    case("125-list-small-folder", demo),
    case("127-list-v1", demo),
    case("131-head-archive", |sandbox| file(sandbox, "personal-files/A3/misc/fold/x", "x")),
    case("140-delete", |sandbox| file(sandbox, "personal-files/A3/del/a.txt", "x")),
    case("141-delete-missing", nothing),
    case("142-delete-folder", |sandbox| file(sandbox, "personal-files/A3/del/sub/x", "x")),
    case("143-bulk-delete", nothing),
    case("144-copy", |sandbox| file(sandbox, "personal-files/A3/del/src.txt", "x")),
    case("145-bucket-location", nothing),
    case("146-delete-denied", nothing),
];

#[test]
fn recorded_exchanges_are_answered_alike() {
    let threads = 4;
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let run = |share: usize| CASES.iter().skip(share).step_by(threads).flat_map(ask_again);
        let shares: Vec<_> = (0..threads).map(|share| scope.spawn(move || run(share).collect::<Vec<_>>())).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asks on a lax server and, where that makes sense, on a strict one.
fn ask_again(case: &Case) -> Vec<String> {
    let recording = load(case.file);
    let mut wrong = Vec::new();
    for strict in [false, true] {
        if strict && case.lax {
            continue;
        }
        let sandbox = start(|config| config.strict_signatures = strict);
        let id = (case.prepare)(&sandbox);
        let request = request(&sandbox, case, &recording["request"], &id, strict);
        let answer = request.send(&sandbox);
        let mode = if strict { "strict" } else { "lax" };
        let found = differences(&sandbox, &recording["response"], &answer);
        wrong.extend(found.into_iter().map(|text| format!("{} ({mode}): {text}", case.file)));
    }
    wrong
}

fn load(file: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/s3").join(format!("{file}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The recorded request with what is different here.
fn request(sandbox: &Sandbox, case: &Case, recorded: &Value, id: &str, strict: bool) -> Ask {
    let now = timestamp(0);
    let expired = sandbox.issue_token("alice", TokenKind::Hard(Duration::ZERO));
    let localise = |text: &str| {
        let mut text = names(text)
            .replace("<PAT>", &sandbox.token("alice"))
            .replace("<EXPIRED_PAT>", &expired)
            .replace("<ID_TOKEN 1250 bytes>", &"x".repeat(1250));
        if !case.stale {
            text = replace_between(&text, "2026112", "Z", &now);
            text = text.replace("/20261123/", &format!("/{}/", &now[..8]));
        }
        text
    };
    let path = percent_encoding::percent_decode_str(recorded["path"].as_str().unwrap());
    let method = recorded["method"].as_str().unwrap();
    let mut ask = Ask::to_path(method, &localise(&path.decode_utf8().unwrap())).by("alice");
    for pair in recorded["query"].as_str().unwrap_or_default().split('&').filter(|it| !it.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        let value = if name == "uploadId" && !id.is_empty() { id.to_owned() } else { localise(value) };
        ask = ask.query(name, &value);
    }
    if !strict {
        ask = ask.unsigned();
    }
    for (name, value) in recorded["headers"].as_object().unwrap() {
        let value = localise(value.as_str().unwrap());
        let lower = name.to_ascii_lowercase();
        let signs = ["authorization", "x-amz-date", "x-amz-content-sha256"].contains(&lower.as_str());
        match (strict && signs, lower.as_str()) {
            (true, "x-amz-content-sha256") => ask = ask.payload(&value),
            (true, _) => {}
            (false, _) => ask = ask.header(name, &value),
        }
    }
    ask.body(body(recorded))
}

/// The recorded body, or one of its length when only that was kept.
fn body(recorded: &Value) -> Vec<u8> {
    let text = recorded["body"].as_str().unwrap_or_default();
    if recorded["headers"]["Transfer-Encoding"] == "chunked" {
        return format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len()).into_bytes();
    }
    if !text.starts_with('<') || text.starts_with("<C") || text.starts_with("<D") {
        return names(text).into_bytes();
    }
    let length = recorded["headers"]["Content-Length"].as_str().unwrap().parse().unwrap();
    if text == "<5000 bytes>" { vec![b'x'; length] } else { pattern(length) }
}

/// Replaces the first stretch from `start` to `end`, if there is one as long as `by`.
fn replace_between(text: &str, start: &str, end: &str, by: &str) -> String {
    let Some(from) = text.find(start) else {
        return text.to_owned();
    };
    match text[from..].find(end) {
        Some(length) if length + end.len() == by.len() => {
            format!("{}{by}{}", &text[..from], &text[from + by.len()..])
        }
        _ => text.to_owned(),
    }
}
