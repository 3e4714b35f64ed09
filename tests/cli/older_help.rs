//! The command lines in the older client's own help, one by one: each is read, and does what that help says or what
//! docs/migration.md says has changed.

#![cfg(unix)]

use std::fs;

use crate::older_scripts::sh;
use crate::support::World;

/// What the command lines are about.
fn world() -> World {
    let world = World::new();
    for folder in ["common-files/Test/Archives", "common-files/folder-a", "common-files/folder-c"] {
        world.mkdir(folder);
    }
    for folder in ["personal-files/folder-b", "personal-files/photos", "personal-files/Others"] {
        world.mkdir(folder);
    }
    for path in [
        "common-files/MyPublicImage.jpg",
        "common-files/Test/Garden.jpeg",
        "common-files/Test/ReadMe.md",
        "common-files/file-1.txt",
        "common-files/file-2.txt",
        "common-files/folder/inside.txt",
        "common-files/my-folder/first.txt",
        "common-files/photos/a.jpg",
        "common-files/photos/b.jpg",
        "common-files/picture.jpg",
        "common-files/target.txt",
        "common-files/test.txt",
        "common-files/test/image.jpg",
        "common-files/test/note.md",
        "personal-files/Cat.jpg",
        "personal-files/funnyCat.jpg",
        "personal-files/info.txt",
    ] {
        world.put(path, path);
    }
    fs::write(world.home().join("README.md"), "read me\n").expect("a file");
    fs::create_dir(world.home().join("tests")).expect("a folder");
    world
}

/// Runs one line, and then looks at what it should have done.
#[track_caller]
fn does(world: &World, line: &str, code: i32, stdout: &str) {
    let run = sh(world, &format!("export CEC_URL=$U CEC_TOKEN=$T CEC_QUIET=1; {line}"));
    assert_eq!((run.code, run.stdout.as_str()), (code, stdout), "{line}: {run:?}");
}

#[test]
fn listings() {
    let world = world();
    does(&world, "cec ls common-files/Test", 0, "Archives/\nGarden.jpeg\nReadMe.md\n");
    let details = "cec ls -d common-files/Test/Garden.jpeg | cut -f 1,3,4";
    does(&world, details, 0, "File\tGarden.jpeg\t29\n");
    let raw = "common-files/Test/Archives/\ncommon-files/Test/Garden.jpeg\ncommon-files/Test/ReadMe.md\n";
    does(&world, "cec ls -r common-files/Test", 0, raw);
    let template = "cec ls personal-files --format \
        '\"{{.Name}}\";\"{{.Type}}\";\"{{.Path}}\";\"{{.HumanSize}}\"' personal-files/ | grep -v recycle | sort";
    let listed = "\"Cat.jpg\";\"File\";\"personal-files/Cat.jpg\";\"22 B\"\n\
                  \"Others\";\"Folder\";\"personal-files/Others\";\"-\"\n\
                  \"folder-b\";\"Folder\";\"personal-files/folder-b\";\"-\"\n\
                  \"funnyCat.jpg\";\"File\";\"personal-files/funnyCat.jpg\";\"27 B\"\n\
                  \"info.txt\";\"File\";\"personal-files/info.txt\";\"23 B\"\n\
                  \"photos\";\"Folder\";\"personal-files/photos\";\"-\"\n";
    does(&world, template, 0, listed);
    does(&world, "cec ls personal-files/info.txt -f", 0, "true\n");
    does(&world, "cec ls personal-files/not-here -f", 3, "false\n");
    does(
        &world,
        "cec ls --no-cache -r common-files/Test/Archives; export CEC_NO_CACHE=true; cec ls common-files/Test/Archives",
        0,
        "",
    );
}

#[test]
fn folders_copies_and_moves() {
    let world = world();
    for (line, look, found) in [
        ("mkdir common-files/test/new-folder", "common-files/test/new-folder", ""),
        ("mkdir -p common-files/a/folder/that/does/not/exits", "common-files/a/folder/that/does/not", "exits/\n"),
        ("cp common-files/test.txt common-files/folder-a", "common-files/folder-a", "test.txt\n"),
        ("cp common-files/test.txt personal-files/folder-b", "personal-files/folder-b", "test.txt\n"),
        ("cp common-files/test/* common-files/folder-c", "common-files/folder-c", "image.jpg\nnew-folder/\nnote.md\n"),
        ("mv common-files/picture.jpg common-files/p2.jpg", "common-files/p2.jpg", "p2.jpg\n"),
        ("mv common-files/p2.jpg personal-files/photos/", "personal-files/photos", "p2.jpg\n"),
        ("mv common-files/photos/* personal-files/photos/", "personal-files/photos", "a.jpg\nb.jpg\np2.jpg\n"),
    ] {
        does(&world, &format!("cec {line} && cec ls {look}"), 0, found);
    }
    does(&world, "cec ls common-files/photos; cec ls -f common-files/picture.jpg", 3, "false\n");
}

#[test]
fn removals() {
    let world = world();
    does(&world, "cec rm common-files/target.txt && cec ls -f common-files/target.txt", 3, "false\n");
    // Several at once, folders and what goes for good want an answer, or -f.
    for line in [
        "rm common-files/folder/% common-files/test/%",
        "rm common-files/folder",
        "rm common-files/file-1.txt common-files/file-2.txt",
        "rm -p common-files/file-1.txt",
    ] {
        does(&world, &format!("cec {line}"), 2, "");
    }
    does(&world, "cec rm -f common-files/file-1.txt && cec ls -f common-files/file-1.txt", 3, "false\n");
    does(&world, "cec rm -pf common-files/folder && cec ls -f common-files/folder", 3, "false\n");
}

#[test]
fn transfers_and_links() {
    let world = world();
    does(
        &world,
        "cec scp ./README.md cells://common-files && cec ls -r common-files/README.md",
        0,
        "common-files/README.md\n",
    );
    does(
        &world,
        "cec scp cells://personal-files/funnyCat.jpg ./ && cat funnyCat.jpg",
        0,
        "personal-files/funnyCat.jpg",
    );
    does(&world, "cec scp --force cells//common-files/my-folder ./tests && ls tests/my-folder", 0, "first.txt\n");
    let share = "cec share common-files/MyPublicImage.jpg | grep -c \"^$U/public/\"";
    does(&world, share, 0, "1\n");
}

#[test]
fn administration() {
    let world = world();
    let filter = r#""{\"owner\": {\"op\": \"eq\", \"value\":\"nobody\"}}""#;
    for (line, code) in [
        ("idm list-acls --uuid 1c989848-5eff-49cf-8727-4db754e02c25".to_owned(), 0),
        ("idm list-acls -n 1c989848-5eff-49cf-8727-4db754e02c25 -n d796d7c5-dce9-4994-bca3-3cf03c27c39d".to_owned(), 0),
        (format!("jobs get --filter {filter} --format table"), 0),
        // Nothing fits: the older client says so and ends with 0.
        (format!("jobs delete --filter {filter} --dry-run"), 3),
        ("jobs delete --job-id 18ab830f-439a-4123-ad7a-1fdeb6f705a3".to_owned(), 3),
        ("jobs delete --job-id d29be854-e369-4f7d-86e5-2292f3fee49b --force".to_owned(), 3),
    ] {
        does(&world, &format!("cec {line}"), code, "");
    }
    does(&world, "cec jobs get | wc -l | grep -c '[1-9]'", 0, "1\n");
    let meta = "cec meta get --path=personal-files/info.txt --namespace=usermeta-tags --format=json";
    does(&world, meta, 0, "{}\n");
    // The line for namespaces in the older client's help has one dash too few, there too.
    does(&world, "cec meta get -all=true", 2, "");
    does(&world, "cec meta get --all=true | grep -c usermeta-tags", 0, "1\n");
}

#[test]
fn the_program_itself() {
    let world = world();
    for (line, code, stdout) in [
        ("tools version isvalid 2.0.6-dev.20191205", 0, ""),
        ("tools version isvalid 2.a", 1, ""),
        ("tools version isrelease 2.0.6", 0, ""),
        ("tools version isrelease 2.0.6-dev.20191205", 1, ""),
        ("tools version isgreater 2.0.6-dev.20191205 2.0.6 --quiet=false", 1, ""),
        ("tools version isgreater --quiet 4.0.5-rc2 4.0.5", 0, "0\n"),
        ("update --version=4.4.0", 1, ""),
    ] {
        does(&world, &format!("cec {line}"), code, stdout);
    }
    does(&world, "unset CEC_URL CEC_TOKEN; cec config add", 2, "");
    does(&world, "cec version -f '{{.Version}}'", 0, env!("CARGO_PKG_VERSION"));
    does(&world, "cec completion bash > script && bash -n script", 0, "");
    does(&world, "cec tools hash --file README.md | cut -d ' ' -f 3", 0, "README.md\n");
}
