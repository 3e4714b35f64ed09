use crate::support::{World, fields};

#[test]
fn the_version_needs_nothing_and_looks_like_that_of_the_older_client() {
    let world = World::new();
    let run = world.signed_out(["version"]).env("CEC_URL", "nonsense").env("CEC_TOKEN_FILE", "/no/such").run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("Cells Client\n Version: \t"), "{run:?}");
    assert!(run.stdout.contains("\n OS/Arch: \t"), "{run:?}");
    assert!(world.sandbox.requests().is_empty());
    assert!(!world.home().join(".config").exists());
}

#[test]
fn the_version_as_json() {
    let world = World::new();
    let json = world.signed_out(["version", "--json"]).run().json();
    assert_eq!(fields(&json), ["name", "version", "commit", "commit_time", "os", "arch"]);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    world.signed_out(["--version"]).run().is(0, &format!("cec {}\n", env!("CARGO_PKG_VERSION")), "");
}
