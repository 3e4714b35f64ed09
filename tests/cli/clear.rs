use insta::assert_snapshot;

use crate::support::World;

#[test]
fn accounts_are_forgotten_on_request() {
    let world = World::new();
    world.install_config(include_str!("../recordings/config/multi-mixed.json"));
    assert_snapshot!(world.signed_out(["clear"]).input("y\n").run(), @"
    [stderr]
    error: cannot ask for confirmation before removing all accounts
      hint: add --force
    [exit code 2]
    ");
    assert!(world.config_file().exists());
    let run = world.signed_out(["clear", "-f"]).run();
    assert_snapshot!(run, @"
    [stderr]
    removed HOME/.config/pydio/cells-client/config.json
    warning: could not end the session of admin@files.example.com:443: the secret of admin@files.example.com:443 is in the system keyring: there is no system keyring (disabled by CEC_KEYRING)
    warning: could not end the session of alice@files.example.com:8443: the secret of alice@files.example.com:8443 is in the system keyring: there is no system keyring (disabled by CEC_KEYRING)
    warning: could not end the session of bob@10.0.0.5:8080: the secret of bob@10.0.0.5:8080 is in the system keyring: there is no system keyring (disabled by CEC_KEYRING)
    warning: a secret may remain in the system keyring, as user https://files.example.com::admin: there is no system keyring (disabled by CEC_KEYRING)
    warning: a secret may remain in the system keyring, as user https://files.example.com:8443::alice: there is no system keyring (disabled by CEC_KEYRING)
    warning: a secret may remain in the system keyring, as user http://10.0.0.5:8080::bob: there is no system keyring (disabled by CEC_KEYRING)
    [exit code 0]
    ");
    let stays =
        "warning: a secret may remain in the system keyring, as user http://10.0.0.5:8080::bob: there is no system";
    assert!(run.stderr.contains(stays), "{run:?}");
    assert!(!world.config_file().exists());
    let again = world.signed_out(["clear", "--force"]).run();
    assert_snapshot!(again, @"
    [stderr]
    error: no account is stored in HOME/.config/pydio/cells-client/config.json
    [exit code 3]
    ");
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
