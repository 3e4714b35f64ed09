//! `cec api`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::World;

fn answer(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn an_answer_is_written_as_it_came() {
    let world = World::new();
    world.put("common-files/a b.txt", "x");
    for path in ["tree/stat/common-files/a%20b.txt", "/a/tree/stat/common-files/a%20b.txt"] {
        let run = world.cec(["api", "get", path]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        assert_eq!(answer(&run.stdout)["Node"]["Path"], "common-files/a b.txt");
    }
    let head = world.cec(["api", "-i", "GET", "tree/stat/common-files"]).run();
    assert!(head.stdout.starts_with("HTTP/1.1 200 OK\n") && head.stdout.contains("\n\n{\"Node\":"), "{head:?}");
}

#[test]
fn the_exit_code_is_what_the_answer_means() {
    let world = World::new();
    let run = world.cec(["api", "GET", "tree/stat/common-files/nope"]).run();
    assert_snapshot!(run, @r#"
    [stdout]
    {"Title":"Could not retrieve node /nope","Detail":"Not Found: Could not retrieve node /nope"}
    [stderr]
    error: Could not retrieve node /nope
      while: GET /a/tree/stat/common-files/nope
    [exit code 3]
    "#);
    let denied = world.cec(["api", "POST", "acl"]).user("alice").run();
    assert_snapshot!(denied, @"
    [stdout]
    Unauthorized
    [stderr]
    error: the server does not allow this call for this user
      while: POST /a/acl
    [exit code 5]
    ");
    assert_eq!(world.cec(["api", "POST", "acl"]).env("CEC_TOKEN", "some-dead-token").run().code, 4);
    assert_eq!(world.cec(["api", "POST", "user"]).env("CEC_URL", "http://127.0.0.1:9").run().code, 6);
    let none = world.cec(["api", "GET", "nosuch"]).run();
    assert_snapshot!(none, @"
    [stderr]
    error: the server answered with a web page: it does not know this request
      while: GET /a/nosuch
      hint: write the path like /a/tree/stat/WORKSPACE
    [exit code 3]
    ");
    assert_eq!(world.cec(["api", "POST", "user", "-f", "Nope=1"]).run().code, 1, "refused as it is");
}

#[test]
fn answers_go_through_jq() {
    let world = World::new();
    world.mkdir("common-files/folder");
    world.cec(["api", "GET", "tree/stat/common-files/folder", "--jq", ".Node.Path"]).run().is(
        0,
        "common-files/folder\n",
        "",
    );
    let record = world.cec(["api", "GET", "tree/stat/common-files/nope", "--json"]).run().json_error(3);
    assert_eq!(record["kind"], "not_found");
}

#[test]
fn fields_and_files_make_the_body() {
    let world = World::new();
    world.mkdir("common-files/folder");
    let typed = ["api", "POST", "tree/stats", "-f", "NodePaths[]=common-files/folder", "-F", "Limit=2"];
    let run = world.cec(typed).run();
    assert_eq!(answer(&run.stdout)["Nodes"][0]["Path"], "common-files/folder", "{run:?}");
    let body = json!({"NodePaths": ["common-files/folder"]}).to_string();
    let run = world.cec(["api", "POST", "tree/stats", "--input", "-"]).input(&body).run();
    assert_eq!(answer(&run.stdout)["Nodes"][0]["Path"], "common-files/folder", "{run:?}");
    std::fs::write(world.home().join("body.json"), &body).expect("a file");
    let run = world.cec(["api", "POST", "tree/stats", "--input", "body.json"]).run();
    assert_eq!(answer(&run.stdout)["Nodes"][0]["Path"], "common-files/folder", "{run:?}");
    assert_eq!(world.cec(["api", "POST", "tree/stats", "--input", "nope.json"]).run().code, 3);
    let run = world.cec(["api", "GET", "config/discovery", "-f", "a b=c"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    let query = world.sandbox.requests().last().map(|request| request.query.clone());
    assert_eq!(query.as_deref(), Some("a%20b=c"));
}

#[test]
fn pages_are_asked_for_until_the_last() {
    let world = World::new();
    world.tree().generate("common-files/many", 23, 1).expect("files");
    let listing =
        ["api", "POST", "tree/stats", "--paginate", "-f", "NodePaths[]=common-files/many/*", "-F", "Limit=10"];
    let run = world.cec(listing).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let counts: Vec<usize> =
        run.stdout.lines().map(|line| answer(line)["Nodes"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(counts, [10, 10, 3]);
    let run = world.cec(["api", "POST", "user", "--paginate", "-F", "Limit=2"]).run();
    assert_eq!(run.stdout.lines().count(), 2, "{run:?}");
}

#[test]
fn what_makes_no_call_is_refused() {
    let world = World::new();
    for arguments in [
        &["api", "BREW", "coffee"][..],
        &["api", "GET", "https://other.example/a/user"],
        &["api", "GET", "a b"],
        &["api", "POST", "user", "-f", "noequals"],
        &["api", "GET", "user/alice", "--paginate"],
        &["api", "POST", "jobs/tasks/delete", "-f", "JobId=x", "-f", "TaskID[]=short"],
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?} {run:?}");
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn calls_that_cannot_be_meant_have_a_hint() {
    let world = World::new();
    world.sandbox.faults().add(cells_sandbox::Fault::on("GET", "/config/discovery").html().always());
    let run = world.cec(["api", "GET", "/config/discovery"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the answer is a web page (HTTP 200): this is not a Cells server, or a sign-in page is in front of it
      while: GET /config/discovery
      hint: REST calls are below /a: try '/a/config/discovery'
    [exit code 6]
    ");
    let run = world.cec(["api", "HEAD", "tree/stat/common-files"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the server answered HTTP 401: no reason given
      while: HEAD /a/tree/stat/common-files
      hint: the server refuses HEAD with any token: use GET
    [exit code 4]
    ");
}
