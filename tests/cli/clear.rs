use crate::support::World;

#[test]
fn accounts_are_forgotten_on_request() {
    let world = World::new();
    world.install_config(include_str!("../recordings/config/multi-mixed.json"));
    world.signed_out(["clear"]).input("y\n").run().is(
        2,
        "",
        "error: cannot ask for confirmation before removing all accounts\n  hint: add --force\n",
    );
    assert!(world.config_file().exists());
    let run = world.signed_out(["clear", "-f"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.starts_with("removed HOME/.config/pydio/cells-client/config.json\n"), "{run:?}");
    let stays =
        "warning: a secret may remain in the system keyring, as user http://10.0.0.5:8080::bob: there is no system";
    assert!(run.stderr.contains(stays), "{run:?}");
    assert!(!world.config_file().exists());
    let again = world.signed_out(["clear", "--force"]).run();
    again.is(3, "", "error: no account is stored in HOME/.config/pydio/cells-client/config.json\n");
}

#[test]
fn a_broken_file_can_be_cleared() {
    let world = World::new();
    world.install_config("{\"idToken\": \"a-secret-token");
    let run = world.signed_out(["ls"]).run();
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("is not JSON") && !run.stderr.contains("a-secret-token"), "{run:?}");
    assert_eq!(world.signed_out(["clear", "-f"]).run().code, 0);
    assert_eq!(world.signed_out(["ls"]).run().code, 4);
}
