//! The AWS command line, and with it the SDK for Python, in its newest default and with the configuration of the page.

use super::support::{FOLDER, Place, Run, content, place_with};

const HOW: &str = "pip install awscli";

/// A place where the AWS command line finds what the page says as its profile `cells`, and a profile `plain` with the
/// defaults.
fn configured(tls: bool) -> Option<Place> {
    let mut place = place_with("aws", HOW, |config| config.tls = tls)?;
    // Smaller parts than on the page, so that the test needs no large file.
    let configuration = place.configuration("aws and boto3").replace("50MB", "5MB");
    let plain: String = configuration
        .lines()
        .take_while(|line| !line.starts_with("request_checksum"))
        .map(|line| format!("{line}\n"))
        .collect();
    let plain = plain.replace("[profile cells]", "[profile plain]");
    place.write(".aws/config", format!("{configuration}{plain}s3 =\n  addressing_style = path\n"));
    place.variables.push(("AWS_MAX_ATTEMPTS".to_owned(), "1".into()));
    if let Some(pem) = place.sandbox.ca_pem() {
        let pem = pem.to_owned();
        place.write("ca.pem", pem);
        place.variables.push(("AWS_CA_BUNDLE".to_owned(), place.local("ca.pem").into()));
    }
    Some(place)
}

fn aws(place: &Place, profile: &str, arguments: &[&str]) -> Run {
    place.run(["--profile", profile, "s3"].into_iter().chain(arguments.iter().copied()))
}

fn at(name: &str) -> String {
    format!("s3://io/{FOLDER}/{name}")
}

#[test]
fn over_tls_the_newest_default_of_the_sdk_is_refused() {
    let Some(place) = configured(true) else { return };
    place.write("file", content(5000));
    aws(&place, "plain", &["cp", "--no-progress", "file", &at("file")]).fails_with("XAmzContentSHA256Mismatch");
    assert!(!place.sandbox.tree().exists(&format!("{FOLDER}/file")));
    aws(&place, "cells", &["cp", "--no-progress", "file", &at("file")]).well();
    assert_eq!(place.remote("file"), content(5000));
}

#[test]
fn aws_sends_and_fetches_single_files() {
    let Some(place) = configured(false) else { return };
    assert!(aws(&place, "cells", &["ls"]).well().stdout.contains(" io\n"));
    for (name, size) in [("empty", 0), ("parts", 12_000_000)] {
        place.write(name, content(size));
        aws(&place, "cells", &["cp", "--no-progress", name, &at(name)]).well();
        assert_eq!(place.remote(name), content(size), "{name}");
        aws(&place, "cells", &["cp", "--no-progress", &at(name), "back"]).well();
        assert_eq!(place.read("back"), content(size), "{name}");
    }
    // Without TLS the default happens to be understood.
    aws(&place, "plain", &["cp", "--no-progress", "empty", &at("plain")]).well();
    aws(&place, "cells", &["rm", &at("plain")]).well();
    assert!(!place.sandbox.tree().exists(&format!("{FOLDER}/plain")));
}

#[test]
fn aws_runs_in_circles_where_it_asks_for_the_bucket() {
    let Some(place) = configured(false) else { return };
    aws(&place, "cells", &["ls", &at("")]).fails_with("maximum recursion depth exceeded");
    place.write_tree();
    aws(&place, "cells", &["sync", "tree", &at("tree")]).fails_with("maximum recursion depth exceeded");
    assert!(!place.sandbox.tree().exists(&format!("{FOLDER}/tree")));
}
