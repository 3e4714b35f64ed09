use insta::assert_snapshot;

use crate::support::World;

#[test]
fn workspaces_tell_what_they_hold_and_may_hold() {
    let world = World::new();
    world.put("common-files/a", "12345");
    assert!(world.tree().set_quota("common-files", 20));
    assert_snapshot!(world.cec(["about"]).user("alice").run(), @"
    [stdout]
    a1-ro	0	-	-	read	A1 ro
    common-files	5	20	25%	read,write	Common Files
    personal-files	0	-	-	read,write	Personal Files
    [exit code 0]
    ");
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
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/a' is not a workspace
      hint: for the size of a folder: cec du -s common-files/a
    [exit code 2]
    ");
    assert_eq!(world.cec(["about", "nowhere"]).run().code, 3);
    let partly = world.cec(["about", "nowhere", "a1-ro"]).run();
    assert_snapshot!(partly, @"
    [stdout]
    a1-ro	0	-	-	read,write	A1 ro
    [stderr]
    error: there is no workspace 'nowhere', or you have no access to it
      hint: 'cec ls' lists your workspaces
    [exit code 7]
    ");
}
