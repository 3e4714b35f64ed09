//! What a server tells of itself.

use crate::scenarios;
use crate::server::Server;

scenarios! {
    strangers_are_told_the_endpoints,
    administrators_are_told_the_version,
    the_interface_describes_itself,
    the_boot_configuration_is_for_everyone,
    the_state_names_the_user_and_the_workspaces,
    the_client_learns_who_and_what,
}

async fn strangers_are_told_the_endpoints(server: &Server) {
    let reply = server.send("GET", "/a/config/discovery", &[("accept", "application/json")], None).await;
    let answer = reply.json();
    assert_eq!((reply.status, reply.media()), (200, "application/json"));
    for (name, ending) in [("rest", "/a"), ("s3", "/io"), ("websocket", "/ws/event")] {
        assert!(answer["Endpoints"][name].as_str().is_some_and(|url| url.ends_with(ending)), "{name}: {answer}");
    }
    assert!(answer.get("Version").is_none(), "{answer}");
    cells_client::api::frontend::probe(&server.sender(crate::server::token("x")).http, &server.url)
        .await
        .expect("Cells");
}

async fn administrators_are_told_the_version(server: &Server) {
    let reply = server.get("/a/config/discovery").await;
    if reply.status == 401 {
        server.left_out("the token is not an administrator's");
        return;
    }
    let answer = reply.json();
    for name in ["PackageType", "PackageLabel", "Version"] {
        assert!(answer[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {answer}");
    }
    assert!(answer["BuildStamp"].is_number(), "{answer}");
}

async fn the_interface_describes_itself(server: &Server) {
    let reply = server.send("GET", "/a/config/discovery/openapi", &[], None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let properties = reply.json()["definitions"]["restGetBulkMetaRequest"]["properties"].clone();
    for name in ["NodePaths", "Limit", "Offset", "SortField"] {
        assert!(properties[name].is_object(), "{name}");
    }
}

async fn the_boot_configuration_is_for_everyone(server: &Server) {
    let reply = server.send("GET", "/a/frontend/bootconf", &[], None).await;
    let answer = reply.json();
    assert_eq!(answer["ENDPOINT_REST_API"], "/a");
    assert_eq!(answer["ENDPOINT_S3_GATEWAY"], "/io");
    for name in ["Version", "PackageType", "PackageLabel", "BuildStamp"] {
        assert!(answer["backend"][name].is_string(), "{name}: {}", answer["backend"]);
    }
}

async fn the_state_names_the_user_and_the_workspaces(server: &Server) {
    let reply = server.get("/a/frontend/state").await;
    let text = reply.text();
    assert!(text.contains("<user id=\""), "a user");
    assert!(text.contains(&format!("repositorySlug=\"{}\"", server.workspace())), "his workspace");
}

async fn the_client_learns_who_and_what(server: &Server) {
    let api = server.api();
    let user = api.user().await.expect("an answer").expect("a user");
    assert!(!user.login.is_empty());
    api.server_info().await.expect("information");
    let slugs: Vec<String> =
        api.workspaces().await.expect("workspaces").iter().map(|node| node.path.to_string()).collect();
    assert!(slugs.iter().any(|slug| slug == server.workspace()), "{slugs:?}");
}
