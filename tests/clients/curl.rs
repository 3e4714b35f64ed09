//! curl with `--aws-sigv4`.

use super::support::{FOLDER, Place, Run, content, place};

const HOW: &str = "apt-get install curl, 7.75 or later";

/// Runs curl with a signature; `hash` adds the header that the gateway wants.
fn curl(place: &Place, hash: bool, arguments: &[&str]) -> Run {
    let user = format!("{}:gatewaysecret", place.token());
    let mut all = vec!["-sS", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
    if hash {
        all.extend(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
    }
    place.run(all.into_iter().chain(arguments.iter().copied()))
}

fn url(place: &Place, name: &str) -> String {
    format!("{}/io/{FOLDER}/{name}", place.sandbox.url())
}

#[test]
fn curl_sends_a_file_and_fetches_it_whole_and_in_ranges() {
    let Some(place) = place("curl", HOW) else { return };
    for (name, size) in [("small", 5000), ("empty", 0), ("large", 3_000_000)] {
        let bytes = content(size);
        place.write(name, &bytes);
        let url = url(&place, name);
        curl(&place, true, &["--fail", "-T", name, &url]).well();
        assert_eq!(place.remote(name), bytes, "{name}");
        assert_eq!(curl(&place, true, &["--fail", &url]).well().bytes, bytes, "{name}");
    }
    let url = url(&place, "small");
    assert_eq!(curl(&place, true, &["--fail", "-r", "100-199", &url]).well().bytes, &content(5000)[100..200]);
    curl(&place, true, &["--fail", "-r", "5000-", &url]).fails_with("416");
}

#[test]
fn curl_sends_a_file_in_parts_by_hand() {
    let Some(place) = place("curl", HOW) else { return };
    let bytes = content(12_000_000);
    let url = url(&place, "parts");
    let created = curl(&place, true, &["--fail", "-X", "POST", &format!("{url}?uploads=")]).well().stdout;
    let id = created.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an id");
    let mut body = String::from("<CompleteMultipartUpload>");
    for (number, part) in (1..).zip(bytes.chunks(5 << 20)) {
        place.write("part", part);
        let target = format!("{url}?partNumber={number}&uploadId={id}");
        let headers = curl(&place, true, &["--fail", "-D", "-", "-T", "part", &target]).well().stdout;
        let etag = headers.lines().find_map(|line| line.to_lowercase().strip_prefix("etag: ").map(str::to_owned));
        let etag = etag.expect("an ETag").trim().to_owned();
        body += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    body += "</CompleteMultipartUpload>";
    let done = curl(&place, true, &["--fail", "-X", "POST", "-d", &body, &format!("{url}?uploadId={id}")]).well();
    assert!(done.stdout.contains("-3&#34;</ETag>"), "{}", done.stdout);
    assert_eq!(place.remote("parts"), bytes);
}

#[test]
fn without_the_header_for_the_hash_curl_is_refused() {
    let Some(place) = place("curl", HOW) else { return };
    place.put("file", "x");
    place.write("file", "y");
    let url = url(&place, "file");
    let code = ["-o", "answer", "-w", "%{http_code}"];
    assert_eq!(curl(&place, false, &[&code[..], &[&url]].concat()).well().stdout, "403");
    assert!(String::from_utf8_lossy(&place.read("answer")).contains("<Code>SignatureDoesNotMatch</Code>"));
    assert_eq!(curl(&place, false, &[&code[..], &["-T", "file", &url]].concat()).well().stdout, "403");
    assert_eq!(place.remote("file"), b"x");
}
