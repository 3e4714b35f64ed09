use crate::support::{World, fields};

#[test]
fn the_version_needs_nothing_and_looks_like_that_of_the_older_client() {
    let world = World::new();
    let run = world.signed_out(["version"]).env("CEC_URL", "nonsense").env("CEC_TOKEN_FILE", "/no/such").run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let names: Vec<&str> =
        run.stdout.lines().filter_map(|line| Some(line.strip_prefix(' ')?.split_once(": \t")?.0)).collect();
    assert!(run.stdout.starts_with("Cells Client\n Version: \t"), "{run:?}");
    assert_eq!(names, ["Version", "Git commit", "Timestamp", "OS/Arch", "Rust version"]);
    assert!(world.sandbox.requests().is_empty());
    assert!(!world.home().join(".config").exists());
}

#[test]
fn the_version_as_json() {
    let world = World::new();
    let json = world.signed_out(["version", "--json"]).run().json();
    assert_eq!(fields(&json), ["name", "version", "commit", "commit_time", "os", "arch", "rust_version"]);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    world.signed_out(["--version"]).run().is(0, &format!("cec {}\n", env!("CARGO_PKG_VERSION")), "");
}

#[test]
fn a_template_has_the_fields_of_the_older_client_and_ends_without_a_newline() {
    let world = World::new();
    let json = world.signed_out(["version", "--json"]).run().json();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let template = "{{.PackageLabel}}|{{.Version}}|{{.GitCommit}}|{{.GitTime}}|{{.OS}}|{{.Arch}}|{{.GoVersion}}";
    let told = format!(
        "Cells Client|{}|{}|{}|{}|{}|rust{}",
        text("version"),
        text("commit"),
        text("commit_time"),
        text("os"),
        text("arch"),
        text("rust_version")
    );
    world.signed_out(["version", "-f", template]).run().is(0, &told, "");
    world.signed_out(["version", "--format", "{{if eq .OS \"plan9\"}}odd{{else}}fine{{end}}"]).run().is(0, "fine", "");
    world.signed_out(["version", "-f", r#"{{printf "%s" "{{if"}}"#]).run().is(0, "{{if", "");
}

#[test]
fn a_template_that_cannot_be_used_is_a_matter_of_usage() {
    let world = World::new();
    let known = "the fields are PackageLabel, Version, GitCommit, GitTime, OS, Arch, GoVersion";
    for template in ["{{.Verson}}", "{{if .Nope}}x{{end}}", "{{.Version}} {{.version}}"] {
        let run = world.signed_out(["version", "-f", template]).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{template}: {run:?}");
        assert!(run.stderr.starts_with("error: there is no field '") && run.stderr.contains(known), "{run:?}");
    }
    for template in ["{{.Version", "{{if .Version}}", "{{nosuch .Version}}"] {
        let run = world.signed_out(["version", "-f", template]).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{template}: {run:?}");
        assert!(run.stderr.starts_with("error: the template cannot be "), "{run:?}");
    }
    let run = world.signed_out(["version", "-f", "{{.Version}}", "--json"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("JSON");
    assert_eq!(error["kind"], "usage");
}
