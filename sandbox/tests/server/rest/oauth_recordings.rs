//! The recorded exchanges of the authorization server, asked again.

use cells_sandbox::Sandbox;
use serde_json::Value;

use crate::rest::oauth::{CALLBACK, Flow, VERIFIER, refresh};
use crate::rest::recordings::{Case, Recording, Replacements, Token, case, check, locked_user, nothing, passwords};
use crate::rest::support::{Ask, quick};

/// The sandbox in the place of the recorded server.
fn here(sandbox: &Sandbox) -> Replacements {
    vec![
        ("http://127.0.0.1:8080", sandbox.url().to_owned()),
        ("<PKCE_CHALLENGE_S256>", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
    ]
}

/// A new code for `cells-client` in the place of all that were recorded.
fn code(sandbox: &Sandbox) -> Replacements {
    replace_code(&Flow::default().code(sandbox))
}

fn code_with_proof(sandbox: &Sandbox) -> Replacements {
    let mut replacements = replace_code(&Flow::default().with_proof().code(sandbox));
    replacements.push(("<PKCE_VERIFIER>", VERIFIER.to_owned()));
    replacements
}

fn used_code(sandbox: &Sandbox) -> Replacements {
    let code = Flow::default().code(sandbox);
    assert_eq!(Flow::default().trade(sandbox, &code).status, 200);
    replace_code(&code)
}

fn expired_code(sandbox: &Sandbox) -> Replacements {
    let replacements = code(sandbox);
    sandbox.set_clock_offset(610);
    replacements
}

fn replace_code(code: &str) -> Replacements {
    RECORDED_CODES.iter().map(|recorded| (*recorded, code.to_owned())).collect()
}

const RECORDED_CODES: [&str; 13] = [
    "<AUTH_CODE>",
    "0t7o5OOqI4ZfGToAM6V9p-fLo11Owcca6In5QreBeg4.VxUCHTCZyNfLWTdVGXGk6EWc1gMtMM4eqiehatVaoVk",
    "M9c6bGM6NLkat0QHuJU3LL2mG64qE_P1QLb0q8o8UdY.rj366Z2RdPb2CP5moM8cUCg4bF64AonDHbDLmmI3kBc",
    "iZlHb7n3HTUOrxL6420s-MekBzalPjdMSOGziNKcCBQ.RWY24yft0CBVLHON6uZTHtxbyPcjoqgbav7l9yy_lnk",
    "HMg-qgtcFcKyY7zvTadqGqCj4Zwl2KIgwKXB6WDlGuI.FKjmrJdWCKdJm2N5HX_0fNAMynjLkAjHs0Pz6xCxQmM",
    "Jp02aMeUMz5PhamCtkwYQikrN5DrlP84P-_3QyyCrjM.soGeRoHX06hxSaQpQY8eEoT0QMEBBNqOhaWnpNZUkNE",
    "lnL6DoAEy9dMlIQ9nIC1g5Jxx-FNSUN0XSCeaYBZv6w.T5Y_Wo-nL2-vtw8Go8Keui4jmXbQzemytxy2InSjp_A",
    "_mimaSEwqGHB9wA-tnWPbxQxfKzy6ofpnf5nPipNMT4.mIhEybGbJZeCpuxc47ckp6oCvsQZ-DhjdFT7ardW66U",
    "TlFh7jlzuzEeaUASBOe5aT4Cg7LvotZ4dgTNtQgeshw.C_1MFV0y-2jHj_FqM62Y5mOtYYHrTehYxlZgzpGvJjY",
    "uJJF2lXjiii43BftEKizgC0dCXnMLCw7Gn7FXa-5vK0.Ul0ElSYukO_ste4StjkYu_J9hSDjly_3NMqILZbjJXA",
    "CiE6X6gLpaNTUN612AgGFU7Shuu6If3yacQmeiVmCUY.xYVhkycNJd3-kCjDzrfIFSJ3u2htJD2YZcQs-1d4blI",
    "W6KBQJCB4Oqaem3yvcxk0BFicC6HeZS09H04VqJr2Kc.q3RHJUCv4wEiywRQm6xH15KedmPGo4zWlhTFs7RiAZA",
    "ruC6WGs7GGPSNrzDd6FbUo4nG3Ak594k5xchoGPIF6c.0xhA9TRSQvaXwZO8PfjLFx5QSLQM4-usaXjqq10Kt28",
];

/// A pair of tokens; the recorded one was refreshed for a locked user.
fn pair(sandbox: &Sandbox) -> Replacements {
    let pair = sandbox.sign_in("admin");
    vec![
        ("<REFRESH_0>", pair.refresh.clone()),
        ("<ACCESS_TOKEN>", pair.access),
        (
            "_EfD-nFUS-W2cw9t1OdPnI2ZhOf4pmu_U7yJe1uBs4A.RTCQwn0FXh-r34cSdH_47amEr-px7MiY8TlN2-yMGvc",
            pair.refresh.clone(),
        ),
        ("ruC6WGs7GGPSNrzDd6FbUo4nG3Ak594k5xchoGPIF6c.0xhA9TRSQvaXwZO8PfjLFx5QSLQM4-usaXjqq10Kt28", pair.refresh),
        ("<ADMIN_PAT>", sandbox.token("admin")),
    ]
}

fn pair_of_locked_user(sandbox: &Sandbox) -> Replacements {
    let replacements = pair(sandbox);
    sandbox.set_locked("admin", true);
    replacements
}

/// The pair before the present one has been used again.
fn replayed(sandbox: &Sandbox) -> Replacements {
    let first = sandbox.sign_in("admin");
    let second = refresh(sandbox, &first.refresh).json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(sandbox, &first.refresh).status, 401);
    vec![("<REFRESH_0>", first.refresh), ("<REFRESH_1>", second)]
}

/// A login page that waits, for the recorded one.
fn challenge(sandbox: &Sandbox) -> Replacements {
    let mut replacements = passwords(sandbox);
    let challenge = Flow::default().challenge(sandbox);
    replacements.push(("<LOGIN_CHALLENGE>", challenge.clone()));
    replacements.push(("a87ad1a0f0054014bdd6996c9aada130", challenge));
    replacements
}

fn met_challenge(sandbox: &Sandbox) -> Replacements {
    let replacements = challenge(sandbox);
    Flow::default().log_in(sandbox, &replacements.last().unwrap().1);
    replacements
}

fn locked_challenge(sandbox: &Sandbox) -> Replacements {
    let mut replacements = challenge(sandbox);
    replacements.extend(locked_user(sandbox));
    replacements
}

fn must_change(sandbox: &Sandbox) -> Replacements {
    sandbox.set_must_change_password("alice", true);
    vec![("\"a2pass\"", "\"alice\"".to_owned()), ("\"P@ssw0rd!x\"", format!("{:?}", sandbox.password("alice")))]
}

const FIRST_STEP: &[Case] = &[
    case("auth/01-discovery", here),
    case("auth/02-jwks", here),
    case("auth/10-auth-request", here),
    case("auth/20-auth-request-pkce", here),
    case("auth/30-auth-short-state", here),
    case("auth/31-auth-unknown-client", here),
    case("auth/32-auth-wrong-redirect", here),
    case("auth/33-auth-127-redirect", here),
    case("auth/55-device-endpoint", here),
    case("auth/56-introspect", here),
    case("auth/81-logout-no-hint", here),
    case("auth/82-logout-id-token-hint", here),
];

const LOGIN: &[Case] = &[
    case("auth/13-session-challenge-wrong-password", challenge),
    case("auth/14-session-challenge-ok", challenge),
    case("auth/15-session-challenge-reused", met_challenge),
    case("auth/102-session-challenge-locked", locked_challenge),
    case("auth/103-session-pass-change", must_change),
];

const CODES: &[Case] = &[
    case("auth/16-token-code", code),
    case("auth/18-token-code-reused", used_code),
    case("auth/21-token-pkce-ok", code_with_proof),
    case("auth/22-token-pkce-wrong-verifier", code_with_proof),
    case("auth/23-token-pkce-missing-verifier", code_with_proof),
    case("auth/24-token-pkce-short-verifier", code_with_proof),
    case("auth/25-token-verifier-without-challenge", code),
    case("auth/40-token-bogus-code", nothing),
    case("auth/41-token-empty-code", nothing),
    case("auth/42-token-wrong-redirect", code),
    case("auth/43-token-missing-redirect", code),
    case("auth/44-token-other-client", code),
    case("auth/45-token-unknown-client", code),
    case("auth/46-token-no-client", code),
    case("auth/47-token-client-with-secret", code),
    case("auth/48-token-basic-auth", code).by(Token::Replaced),
    case("auth/84-token-code-expired", expired_code),
];

const GRANTS: &[Case] = &[
    case("auth/49-token-no-grant-type", nothing),
    case("auth/50-token-grant-password", nothing),
    case("auth/51-token-grant-client_credentials", nothing),
    case("auth/52-token-grant-device_code", nothing),
    case("auth/53-token-grant-implicit", nothing),
    case("auth/54-token-grant-jwt-bearer", nothing),
    case("auth/60-refresh-ok", pair),
    case("auth/61-refresh-reuse-old", replayed),
    case("auth/62-refresh-new-after-family-revoked", replayed),
    case("auth/63-refresh-bogus", nothing),
    case("auth/64-refresh-other-client", pair),
    case("auth/104-refresh-locked-user", pair_of_locked_user),
];

const TOKENS: &[Case] = &[
    case("auth/70-userinfo-access", pair).by(Token::Replaced),
    case("auth/71-userinfo-id-token", pair).by(Token::Replaced),
    case("auth/72-userinfo-pat", pair).by(Token::Replaced),
    case("auth/73-userinfo-none", nothing),
    case("auth/75-revoke-access", nothing),
    case("auth/76-revoke-refresh", nothing),
    case("auth/77-revoke-garbage", nothing),
    case("auth/78-revoke-no-client", nothing),
    case("auth/95-revoke-session-token", nothing),
];

#[test]
fn the_first_step() {
    check(FIRST_STEP);
}

#[test]
fn the_login_step() {
    check(LOGIN);
}

#[test]
fn codes() {
    check(CODES);
}

#[test]
fn other_grants() {
    check(GRANTS);
}

#[test]
fn what_tokens_are_good_for() {
    check(TOKENS);
}

#[test]
fn refused_requests_go_where_the_real_server_sends_them() {
    for file in ["30-auth-short-state", "31-auth-unknown-client", "32-auth-wrong-redirect", "81-logout-no-hint"] {
        let sandbox = quick();
        let recording = Recording::load(&format!("auth/{file}"));
        let answer = recording.ask(&sandbox, &case("", nothing)).unwrap();
        let recorded = recording.header("Location").unwrap().replace("http://127.0.0.1:8080", sandbox.url());
        assert_eq!(answer.header("location"), recorded, "{file}");
    }
}

#[test]
fn the_login_leads_back_with_the_code_and_the_state_as_it_was() {
    let sandbox = quick();
    let recording = Recording::load("auth/14-session-challenge-ok");
    let answer = recording.replaced(&challenge(&sandbox)).ask(&sandbox, &case("", nothing)).unwrap();
    let target = answer.json()["RedirectTo"].as_str().unwrap().to_owned();
    let code = target.strip_prefix(&format!("{CALLBACK}?code=")).unwrap().split('&').next().unwrap();
    let recorded = recording.response["body"]["RedirectTo"].as_str().unwrap();
    let state = Flow::default().state;
    assert_eq!(target, recorded.replace("<AUTH_CODE>", code).replace("Zx81kQpLm3Rt7Yb0", &state));
}

#[test]
fn the_identity_token_says_what_the_recorded_one_says() {
    let sandbox = quick();
    let code = Flow::default().code(&sandbox);
    let answer = Flow::default().trade(&sandbox, &code).json();
    let parts: Vec<Value> = answer["id_token"].as_str().unwrap().split('.').take(2).map(decoded).collect();
    let recorded = Recording::whole("auth/17-id-token-decoded");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(parts[0], recorded["header"]);
    assert_eq!(keys(&parts[1]), keys(&recorded["claims"]));
    assert_eq!(parts[1]["iss"], format!("{}/oidc/", sandbox.url()));
    assert_eq!(parts[1]["aud"], recorded["claims"]["aud"]);
    let found = Ask::get("/oidc/userinfo").bearer(answer["access_token"].as_str().unwrap()).send(&sandbox);
    assert_eq!(found.unwrap().json()["name"], "alice");
}

fn decoded(part: &str) -> Value {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
