//! `cec share`: every option is checked before it is sent, since the server checks hardly any.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Run, World, fields, transcript};

fn world() -> World {
    let world = World::new();
    world.put("common-files/report.pdf", "content");
    world.put("common-files/drop/inner.txt", "content");
    world
}

fn url(run: &Run) -> String {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let url = run.stdout.trim_end().to_owned();
    assert!(url.starts_with("URL/public/") && url.len() == "URL/public/".len() + 12, "{run:?}");
    url
}

fn hash(run: &Run) -> String {
    url(run).rsplit('/').next().expect("a hash").to_owned()
}

#[test]
fn a_link_is_one_absolute_url() {
    let world = world();
    let one = url(&world.cec(["share", "common-files/report.pdf"]).run());
    let other = url(&world.cec(["share", "cells://common-files/report.pdf"]).run());
    assert_ne!(one, other, "each call makes a new one");
}

#[test]
fn all_options_reach_the_link() {
    let world = world();
    let run = world
        .cec([
            "share",
            "common-files/drop",
            "--upload",
            "--expire",
            "2100-01-01",
            "--max-downloads",
            "3",
            "--label",
            "The drop",
            "--description",
            "for all",
            "--slug",
            "the-drop-of-2031",
            "--password-stdin",
            "--json",
        ])
        .input("secret-word\n")
        .run();
    let link = run.json();
    assert_eq!(
        fields(&link),
        [
            "url",
            "uuid",
            "hash",
            "path",
            "label",
            "description",
            "permissions",
            "password",
            "expires_at",
            "max_downloads",
            "downloads",
            "owner",
            "editable"
        ]
    );
    assert_eq!(link["url"], "URL/public/the-drop-of-2031");
    assert_eq!(link["permissions"], json!(["preview", "download", "upload"]));
    assert_eq!((&link["path"], &link["label"]), (&json!("common-files/drop"), &json!("The drop")));
    assert_eq!((&link["password"], &link["max_downloads"]), (&json!(true), &json!(3)));
    assert_eq!((&link["expires_at"], &link["owner"]), (&json!("2100-01-01T00:00:00Z"), &json!("admin")));
    assert!(!run.stdout.contains("secret-word"));
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let world = world();
    let refused = [
        (&["common-files/report.pdf", "--upload"][..], ""),
        (&["common-files/report.pdf", "--no-download", "--no-preview"], ""),
        (&["common-files/report.pdf", "--password-stdin"], "x\n"),
        (&["common-files/report.pdf", "--password-stdin"], ""),
        (&["common-files/report.pdf", "--expire", "2001-01-01"], ""),
        (&["common-files/report.pdf", "--expire", "soon"], ""),
        (&["common-files/report.pdf", "--label", " "], ""),
        (&["common-files/report.pdf", "--slug", "a b/c"], ""),
        (&["common-files/report.pdf", "--no-download", "--max-downloads", "3"], ""),
        (&["common-files"], ""),
        (&["/"], ""),
    ]
    .map(|(arguments, input)| world.cec(["share"].iter().chain(arguments).copied()).input(input).run());
    assert_snapshot!(transcript(refused), @r#"
    $ cec share common-files/report.pdf --upload
    [stderr]
    error: visitors cannot upload into a file
      hint: share the folder that contains it, or omit --upload
    [exit code 2]
    $ cec share common-files/report.pdf --no-download --no-preview
    [stderr]
    error: visitors of this link could do nothing
      hint: omit --no-preview or --no-download, or add --upload for a folder
    [exit code 2]
    $ cec share common-files/report.pdf --password-stdin
    [stderr]
    error: the password has fewer than 6 characters
    [exit code 2]
    $ cec share common-files/report.pdf --password-stdin
    [stderr]
    error: the given password is empty
    [exit code 2]
    $ cec share common-files/report.pdf --expire 2001-01-01
    [stderr]
    error: invalid value '2001-01-01' for '--expire <WHEN>': this is in the past
      hint: see 'cec share --help'
    [exit code 2]
    $ cec share common-files/report.pdf --expire soon
    [stderr]
    error: invalid value 'soon' for '--expire <WHEN>': expected a duration such as 12h, 7d or 2w, a date such as 2031-05-20, or never
      hint: see 'cec share --help'
    [exit code 2]
    $ cec share common-files/report.pdf --label " "
    [stderr]
    error: the label is empty
    [exit code 2]
    $ cec share common-files/report.pdf --slug "a b/c"
    [stderr]
    error: 'a b/c' is not a valid last part of a URL: use at least 12 letters, digits, - and _
    [exit code 2]
    $ cec share common-files/report.pdf --no-download --max-downloads 3
    [stderr]
    error: --max-downloads has no effect if visitors may not download
      hint: add --max-downloads 0 to remove the limit
    [exit code 2]
    $ cec share common-files
    [stderr]
    error: 'common-files' is a workspace, which a link cannot share
      hint: share a folder in it; the commands of share are ls, show, edit and rm
    [exit code 2]
    $ cec share /
    [stderr]
    error: '/' is a workspace, which a link cannot share
      hint: share a folder in it; the commands of share are ls, show, edit and rm
    [exit code 2]
    "#);
    let missing = world.cec(["share", "common-files/nope"]).run();
    assert_snapshot!(missing, @"
    [stderr]
    error: 'common-files/nope' does not exist
    [exit code 3]
    ");
    assert!(!world.sandbox.requests().iter().any(|request| request.path.starts_with("/a/share")));
}

// Row 4 of what the older client gets wrong: a share of a missing path is no success.
#[test]
fn row_4_a_missing_path_is_not_found() {
    let world = world();
    let record = world.cec(["share", "--json", "common-files/nope"]).run().json_error(3);
    assert_eq!((&record["kind"], &record["path"]), (&json!("not_found"), &json!("common-files/nope")));
}

#[test]
fn a_file_called_like_a_command_is_written_with_its_prefix() {
    let world = world();
    assert_eq!(world.cec(["share", "cells://ls"]).run().code, 2, "a whole workspace, not the command");
    world.cec(["share", "ls"]).run().is(0, "", "");
}

#[test]
fn links_are_listed_with_their_paths() {
    let world = world();
    let one = url(&world.cec(["share", "common-files/report.pdf"]).run());
    let other = url(&world.cec(["share", "common-files/drop/inner.txt", "--label", "Z", "--no-preview"]).run());
    world.cec(["share", "ls"]).run().is(
        0,
        &format!(
            "{other}\tcommon-files/drop/inner.txt\tZ\tdownload\tno\t-\tadmin\n\
             {one}\tcommon-files/report.pdf\treport.pdf\tpreview,download\tno\t-\tadmin\n"
        ),
        "",
    );
    let json = world.cec(["share", "ls", "--json"]).run().json();
    assert_eq!((json.as_array().map(Vec::len), &json[1]["url"]), (Some(2), &json!(one)));
    world.cec(["share", "ls"]).user("alice").run().is(0, "", "");
}

#[test]
fn a_link_is_found_by_url_hash_uuid_and_path() {
    let world = world();
    let hash = hash(&world.cec(["share", "common-files/report.pdf"]).run());
    let json = world.cec(["share", "show", "--json", "common-files/report.pdf"]).run().json();
    let uuid = json[0]["uuid"].as_str().expect("a UUID").to_owned();
    for target in [&format!("{}/public/{hash}", world.url()), &hash, &uuid, "cells://common-files/report.pdf"] {
        let run = world.cec(["share", "show", target]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{target} {run:?}");
        assert!(run.stdout.starts_with(&format!("URL\tURL/public/{hash}\nUUID\t{uuid}\n")), "{target} {run:?}");
        assert!(run.stdout.contains("Visitors may\tpreview, download\nPassword\tno\nEnds\tnever\n"), "{run:?}");
    }
    for target in ["nothing-here", "00000000-0000-4000-8000-000000000000"] {
        let run = world.cec(["share", "show", target]).run();
        run.is(3, "", &format!("error: there is no public link '{target}'\n  hint: 'cec share ls' lists the links\n"));
    }
    let run = world.cec(["share", "show", "common-files/drop"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/drop' has no public link
      hint: 'cec share PATH' makes one
    [exit code 3]
    ");
    assert_eq!(world.cec(["share", "show", &format!("https://other.example/public/{hash}")]).run().code, 3);
}

#[test]
fn what_no_option_names_stays_as_it_is() {
    let world = world();
    let path = "common-files/report.pdf";
    let run = world.cec(["share", path, "--password-stdin", "--max-downloads", "3"]).input("secret-word\n").run();
    let hash = hash(&run);
    let shown = || world.cec(["share", "show", "--json", &hash]).run().json()[0].clone();
    let edit = |arguments: &'static [&'static str]| world.cec(["share", "edit", path].iter().chain(arguments).copied());
    edit(&["--expire", "2100-01-01", "--label", "New"]).run().is(0, "", &format!("changed URL/public/{hash}\n"));
    let link = shown();
    assert_eq!((&link["label"], &link["max_downloads"], &link["password"]), (&json!("New"), &json!(3), &json!(true)));
    edit(&["--max-downloads", "0", "--no-password", "--expire", "never", "--no-download"]).run();
    let link = shown();
    assert_eq!(
        (&link["max_downloads"], &link["expires_at"], &link["password"]),
        (&json!(null), &json!(null), &json!(false))
    );
    assert_eq!(link["permissions"], json!(["preview"]));
    edit(&["--password-stdin"]).input("another-word\n").run();
    assert_eq!(shown()["password"], true);
    assert_snapshot!(edit(&[]).run(), @"
    [stderr]
    error: nothing to change
      hint: see 'cec share edit --help'
    [exit code 2]
    ");
    assert_eq!(edit(&["--no-preview"]).run().code, 2, "nothing would be left");
    assert_eq!(edit(&["--upload"]).run().code, 2, "a file");
}

#[test]
fn several_links_go_only_after_a_question() {
    let world = world();
    let path = "common-files/report.pdf";
    let hash = hash(&world.cec(["share", path]).run());
    world.cec(["share", "rm", &hash]).run().is(0, "", &format!("removed URL/public/{hash}\n"));
    world.cec(["share", "rm", &hash]).run();
    world.cec(["share", path]).run();
    world.cec(["share", path]).run();
    let run = world.cec(["share", "rm", path]).input("y\n").run();
    assert_snapshot!(run, @"
    [stderr]
    error: cannot ask for confirmation before removing several links
      hint: add --force to remove them without asking
    [exit code 2]
    ");
    let json = world.cec(["share", "rm", "-f", "--json", path]).run().json();
    assert_eq!((json.as_array().map(Vec::len), fields(&json[0])), (Some(2), vec!["url", "uuid", "hash", "path"]));
    world.cec(["share", "ls"]).run().is(0, "", "");
    assert!(world.tree().exists(path));
}

#[test]
fn links_of_others_are_theirs() {
    let world = world();
    let path = "common-files/report.pdf";
    world.cec(["share", path]).run();
    for arguments in [&["share", "rm", path][..], &["share", "edit", path, "--label", "mine"]] {
        let run = world.cec(arguments.iter().copied()).user("alice").run();
        assert_eq!((run.code, run.stdout.as_str()), (5, ""), "{arguments:?} {run:?}");
        assert!(run.stderr.starts_with("error: you are not allowed to edit this link\n"), "{arguments:?} {run:?}");
    }
}

#[test]
fn a_slug_that_is_taken_leaves_nothing_behind() {
    let world = world();
    let path = "common-files/report.pdf";
    let slug = ["--slug", "the-report-of-2031"];
    world.cec(["share", path].into_iter().chain(slug)).run().is(0, "URL/public/the-report-of-2031\n", "");
    let told = "error: another link already has the URL that ends in 'the-report-of-2031'\n";
    let refused = |run: &Run| {
        assert_eq!((run.code, run.stdout.as_str()), (8, ""), "{run:?}");
        assert!(run.stderr.starts_with(told) && run.stderr.contains("hint: choose another --slug"), "{run:?}");
    };
    // A user who is no administrator could not remove the remains of a link.
    refused(&world.cec(["share", "common-files/drop"].into_iter().chain(slug)).user("alice").run());
    refused(&world.cec(["share", "common-files/drop"].into_iter().chain(slug)).run());
    let listed = "URL/public/the-report-of-2031\tcommon-files/report.pdf\treport.pdf\tpreview,download\tno\t-\tadmin\n";
    world.cec(["share", "ls", "--all"]).run().is(0, listed, "");
    let other = hash(&world.cec(["share", "common-files/drop"]).run());
    refused(&world.cec(["share", "edit", &other].into_iter().chain(slug)).run());
    assert_eq!(world.cec(["share", "show", &other]).run().code, 0, "it stays as it was");
}

/// Makes what is left of a link whose last part of the URL was taken, as other clients do, and gives its UUID.
fn remains(world: &World, path: &str, slug: &str) -> String {
    let uuid = world.tree().uuid(path).expect("a UUID");
    let link = json!({"Label": "{{RefLabel}}", "RootNodes": [{"Uuid": uuid}], "Permissions": ["Preview"]});
    let body = json!({"ShareLink": link, "UpdateCustomHash": slug}).to_string();
    assert_eq!(world.cec(["api", "PUT", "share/link", "--input", "-"]).input(&body).run().code, 8);
    let run = world.cec(["share", "ls"]).run();
    let warned = run.stderr.split("warning: ").last().expect("a warning");
    let uuid = warned.split(' ').next().expect("a UUID").to_owned();
    assert!(warned.ends_with(&format!("was never completed and opens nothing; remove it with: cec share rm {uuid}\n")));
    uuid
}

#[test]
fn what_is_left_of_links_that_were_never_completed_can_be_removed() {
    let world = world();
    let path = "common-files/report.pdf";
    world.cec(["share", path, "--slug", "the-report-of-2031"]).run();
    let uuid = remains(&world, path, "the-report-of-2031");
    let missing = format!("error: there is no public link '{uuid}'\n  hint: 'cec share ls' lists the links\n");
    world.cec(["share", "show", &uuid]).run().is(3, "", &missing);
    // By its path the good link is shown all the same.
    assert_eq!(world.cec(["share", "show", path]).run().code, 0);
    let refused = world.cec(["share", "rm", &uuid]).user("alice").run();
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""), "{refused:?}");
    world.cec(["share", "rm", &uuid]).run().is(0, "", &format!("removed {uuid}, which was never completed\n"));
    let uuid = remains(&world, path, "the-report-of-2031");
    world.cec(["share", "rm", "-f", path]).run().is(
        0,
        "",
        &format!("removed {uuid}, which was never completed\nremoved URL/public/the-report-of-2031\n"),
    );
    world.cec(["share", "ls", "--all"]).run().is(0, "", "");
}

#[test]
fn a_link_is_shown_with_its_path_however_it_is_named() {
    let world = world();
    let path = "common-files/drop/inner.txt";
    let json = world.cec(["share", "--json", path]).run().json();
    let (url, uuid, hash) = (&json["url"], &json["uuid"], &json["hash"]);
    for name in [url, uuid, hash] {
        let name = name.as_str().expect("a text").replace("URL", world.url());
        let run = world.cec(["share", "show", &name]).run();
        assert!(run.code == 0 && run.stdout.contains("Path\tcommon-files/drop/inner.txt\n"), "{name} {run:?}");
    }
}

#[test]
fn what_is_not_known_is_a_dash_and_no_placeholder() {
    let world = world();
    let uuid = world.tree().uuid("common-files/report.pdf").expect("a UUID");
    let link = json!({"Label": "{{RefLabel}}", "RootNodes": [{"Uuid": uuid}]});
    let body = json!({"ShareLink": link}).to_string();
    assert_eq!(world.cec(["api", "PUT", "share/link", "--input", "-"]).input(&body).run().code, 0);
    let run = world.cec(["share", "ls"]).run();
    assert!(run.stdout.ends_with("\tcommon-files/report.pdf\treport.pdf\t-\tno\t-\tadmin\n"), "{run:?}");
    let run = world.cec(["idm", "list-workspaces"]).run();
    assert!(run.code == 0 && run.stdout.contains("\t-\tlink\t") && !run.stdout.contains("RefLabel"), "{run:?}");
    world.tree().remove("common-files/report.pdf");
    let run = world.cec(["share", "ls"]).run();
    assert!(run.stdout.ends_with("\t-\t-\t-\tno\t-\tadmin\n"), "{run:?}");
}
