use crate::support::World;

#[test]
fn workspaces_tell_what_they_hold_and_may_hold() {
    let world = World::new();
    world.put("common-files/a", "12345");
    assert!(world.tree().set_quota("common-files", 20));
    world.cec(["about"]).user("alice").run().is(
        0,
        "a1-ro\t0\t-\t-\tread\tA1 ro\ncommon-files\t5\t20\t25%\tread,write\tCommon Files\n\
         personal-files\t0\t-\t-\tread,write\tPersonal Files\n",
        "",
    );
    let json = world.cec(["about", "--json", "cells://common-files", "personal-files"]).run().json();
    let expected = serde_json::json!([
        {"path": "common-files", "label": "Common Files", "permissions": "read,write", "size": 5, "quota": 20, "quota_used": 5},
        {"path": "personal-files", "label": "Personal Files", "permissions": "read,write", "size": 0, "quota": null,
            "quota_used": null},
    ]);
    assert_eq!(json, expected);
}

#[test]
fn only_workspaces_have_it() {
    let world = World::new();
    world.put("common-files/a/b", "");
    let run = world.cec(["about", "common-files/a"]).run();
    let told = "error: 'common-files/a' is not a workspace\n  hint: for the size of a folder: cec du -s \
        common-files/a\n";
    run.is(2, "", told);
    assert_eq!(world.cec(["about", "nowhere"]).run().code, 3);
    let partly = world.cec(["about", "nowhere", "a1-ro"]).run();
    assert_eq!((partly.code, partly.stdout.as_str()), (7, "a1-ro\t0\t-\t-\tread,write\tA1 ro\n"), "{partly:?}");
}
