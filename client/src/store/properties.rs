//! Properties of all texts as config.json, for property tests and the fuzz target.

use super::{Accounts, Entry};

/// Parses any text as config.json: writing and parsing it again must result in the same accounts, and all accounts must
/// be usable.
pub fn config(text: &str) {
    let Ok(accounts) = Accounts::parse(text) else { return };
    let rendered = accounts.render();
    let again = Accounts::parse(&rendered).expect("what was written is read");
    assert_eq!(again.render(), rendered);
    assert!(again.active == accounts.active && again.entries.keys().eq(accounts.entries.keys()), "{rendered}");
    assert!(accounts.active_id().is_none_or(|id| accounts.entries.contains_key(id)));
    for (id, entry) in &accounts.entries {
        assert_eq!(accounts.named(id), [id.as_str()]);
        assert!(accounts.named(entry.label()).len() <= accounts.entries.len());
        let _ = (entry.headers(), entry.skip_verify(), format!("{entry:?}"));
        let result = |entry: &Entry| entry.account(id).map_err(|error| error.to_string());
        let (account, same) = (result(entry), result(&again.entries[id]));
        assert_eq!(format!("{account:?}"), format!("{same:?}"));
        match account {
            Ok(account) => assert!(entry.holds_secret() && account.stored_id.as_ref() == Some(id)),
            Err(error) => assert!(!error.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Generates values that may be in an account.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
            Just("\"https://files.example.com\"".to_owned()),
            Just("\"pat\"".to_owned()),
            Just("\"OAuth2\"".to_owned()),
            any::<i64>().prop_map(|number| number.to_string()),
            Just("true".to_owned()),
            Just("null".to_owned()),
            Just("{\"X-Header\":\"<&>\"}".to_owned()),
        ]
    }

    fn account() -> impl Strategy<Value = String> {
        let names = [
            "authType",
            "url",
            "user",
            "idToken",
            "refreshToken",
            "tokenExpiresAt",
            "password",
            "skipVerify",
            "useTokenCache",
            "CustomHeaders",
            "label",
            "skipKeyring",
            "createdAtVersion",
            "other",
        ];
        vec((prop::sample::select(names.to_vec()), value()), 0..8).prop_map(|fields| {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    }

    proptest! {
        #[test]
        fn any_text_is_a_configuration_or_refused(text in any::<String>()) {
            super::config(&text);
        }

        #[test]
        fn a_flat_account_is_read_and_written(text in account()) {
            super::config(&text);
        }

        #[test]
        fn a_list_is_read_and_written(accounts in vec((any::<String>(), account()), 0..3), active in value()) {
            let entries: Vec<String> =
                accounts.iter().map(|(id, account)| format!("{}:{account}", serde_json::Value::from(id.as_str()))).collect();
            super::config(&format!("{{\"ActiveConfigID\":{active},\"Configs\":{{{}}},\"extra\":[1]}}", entries.join(",")));
        }
    }
}
