//! Public links as their visitors find them.

use cells_client::account::LinkUrl;
use cells_client::api::NodeKind;
use cells_client::api::share::{Link, LinkWish, Permission};
use cells_client::auth::public_link::LinkPage;
use cells_client::auth::{AuthError, LinkRefusal};
use cells_client::failure::ServerErrorKind;
use cells_client::path::RemotePath;
use futures_util::TryStreamExt as _;
use jiff::{Timestamp, ToSpan as _};

use crate::scenarios;
use crate::server::{Server, Visitor};

scenarios! {
    a_folder_is_read_by_its_visitors,
    uploads_need_the_right_to_them,
    who_may_only_write_sees_what_is_asked_for_by_name,
    a_single_file_has_a_folder_to_itself,
    passwords_are_wanted_and_checked,
    downloads_are_counted_where_they_begin_at_the_first_byte,
    links_that_are_gone_or_over_have_pages_that_say_so,
    sessions_of_visitors_are_renewed,
}

const PASSWORD: &str = "a-Passw0rd-of-links";

fn wish(permissions: &[Permission]) -> LinkWish {
    LinkWish {
        label: "conformance".to_owned(),
        permissions: permissions.iter().copied().collect(),
        ..LinkWish::default()
    }
}

async fn share(server: &Server, relative: &str, wish: &LinkWish) -> Link {
    let api = server.api();
    let node = api.stat(&server.remote(relative)).await.expect("a node");
    api.create_link(&node.uuid, wish).await.expect("a link")
}

/// Signs in as a visitor, who needs no password here.
async fn visit(server: &Server, link: &Link) -> Visitor {
    server.visit(&url(server, link), None).await.expect("a visitor")
}

fn url(server: &Server, link: &Link) -> LinkUrl {
    LinkUrl::parse(&format!("{}/public/{}", server.url, link.hash)).expect("a link").0
}

fn path(link: &Link, below: &str) -> RemotePath {
    RemotePath::root().join(&link.hash).join(below)
}

async fn names(visitor: &Visitor, folder: &RemotePath) -> Vec<String> {
    let found: Vec<String> =
        visitor.api.children(folder).map_ok(|node| node.path.to_string()).try_collect().await.expect("a listing");
    found
}

async fn content(visitor: &Visitor, path: &RemotePath) -> Result<Vec<u8>, ServerErrorKind> {
    let download = visitor.s3.get(path, None).await.map_err(|error| error.kind)?;
    let chunks: Vec<bytes::Bytes> = download.body.try_collect().await.expect("a body");
    Ok(chunks.concat())
}

async fn put(visitor: &Visitor, path: &RemotePath) -> Result<String, ServerErrorKind> {
    visitor.s3.put(path, 3, &|| reqwest::Body::from("new")).await.map_err(|error| error.kind)
}

async fn remove(server: &Server, link: &Link) {
    server.api().delete_link(&link.uuid).await.expect("removed");
}

async fn a_folder_is_read_by_its_visitors(server: &Server) {
    server.write("shared/a.txt", "content of a").await;
    server.write("shared/sub/b.txt", "b").await;
    let link = share(server, "shared", &wish(&[Permission::Preview, Permission::Download])).await;
    let visitor = visit(server, &link).await;
    assert_eq!(names(&visitor, &path(&link, "")).await, [format!("{}/a.txt", link.hash), format!("{}/sub", link.hash)]);
    assert_eq!(content(&visitor, &path(&link, "a.txt")).await.expect("a file"), b"content of a");
    let root = visitor.api.stat(&path(&link, "")).await.expect("a root");
    assert_eq!((root.kind, root.read_only), (NodeKind::Workspace, true));
    assert_eq!(visitor.api.own_name(&root), "shared");
    let workspaces = visitor.api.workspaces().await.expect("workspaces");
    assert_eq!(workspaces.len(), 1, "a visitor sees nothing else");
    assert_eq!(visitor.api.find(&path(&link, "none")).await.expect("an answer").map(|node| node.path), None);
    // Whatever permissions say of downloads, what may be looked at may be downloaded.
    let preview = share(server, "shared", &wish(&[Permission::Preview])).await;
    let looker = visit(server, &preview).await;
    assert_eq!(content(&looker, &path(&preview, "a.txt")).await.expect("a file"), b"content of a");
    remove(server, &preview).await;
    remove(server, &link).await;
}

async fn uploads_need_the_right_to_them(server: &Server) {
    server.write("shared/a.txt", "a").await;
    let reading = share(server, "shared", &wish(&[Permission::Download])).await;
    let reader = visit(server, &reading).await;
    assert_eq!(put(&reader, &path(&reading, "new.txt")).await, Err(ServerErrorKind::Forbidden));
    let refused = reader.api.create_folders(&[path(&reading, "folder")]).await.expect_err("read-only");
    assert_eq!(refused.kind, ServerErrorKind::Forbidden, "{refused:?}");
    let refused = reader.api.delete(&[path(&reading, "a.txt")], false).await.expect_err("read-only");
    assert_eq!(refused.kind, ServerErrorKind::Forbidden, "{refused:?}");
    let writing = share(server, "shared", &wish(&[Permission::Download, Permission::Upload])).await;
    let writer = visit(server, &writing).await;
    put(&writer, &path(&writing, "new.txt")).await.expect("an upload");
    let made = writer.api.create_folders(&[path(&writing, "folder")]).await.expect("a folder");
    assert_eq!(made[0].path, path(&writing, "folder"));
    assert_eq!(content(&reader, &path(&reading, "new.txt")).await.expect("a file"), b"new");
    remove(server, &reading).await;
    remove(server, &writing).await;
}

async fn who_may_only_write_sees_what_is_asked_for_by_name(server: &Server) {
    server.write("shared/a.txt", "a").await;
    let link = share(server, "shared", &wish(&[Permission::Upload])).await;
    let visitor = visit(server, &link).await;
    assert!(visitor.api.is_upload_only());
    put(&visitor, &path(&link, "new.txt")).await.expect("an upload");
    let there = [path(&link, "a.txt"), path(&link, "none.txt"), path(&link, "new.txt")];
    let known: Vec<RemotePath> =
        visitor.api.stat_many(&there).await.expect("nodes").into_iter().map(|node| node.path).collect();
    assert_eq!(known, [there[0].clone(), there[2].clone()]);
    assert!(visitor.api.find(&there[0]).await.expect("an answer").is_some());
    assert!(visitor.api.find(&there[1]).await.expect("an answer").is_none());
    visitor.s3.head(&there[0]).await.expect("it is there");
    assert_eq!(content(&visitor, &there[0]).await, Err(ServerErrorKind::Forbidden));
    let refused = visitor.api.delete(&there[..1], false).await.expect_err("not to be seen");
    assert_eq!(refused.kind, ServerErrorKind::Forbidden, "{refused:?}");
    remove(server, &link).await;
}

async fn a_single_file_has_a_folder_to_itself(server: &Server) {
    server.write("a.txt", "content of a").await;
    let link = share(server, "a.txt", &wish(&[Permission::Preview, Permission::Download])).await;
    let visitor = visit(server, &link).await;
    let node = visitor.api.stat(&path(&link, "")).await.expect("the file");
    assert_eq!((node.kind, node.size), (NodeKind::File, 12));
    assert_eq!(node.path, path(&link, "a.txt"));
    assert_eq!(content(&visitor, &path(&link, "")).await.expect("a file"), b"content of a");
    assert_eq!(content(&visitor, &path(&link, "a.txt")).await.expect("a file"), b"content of a");
    assert_eq!(content(&visitor, &path(&link, "b.txt")).await, Err(ServerErrorKind::NotFound));
    assert!(visitor.api.find(&path(&link, "b.txt")).await.expect("an answer").is_none());
    remove(server, &link).await;
}

async fn passwords_are_wanted_and_checked(server: &Server) {
    server.write("shared/a.txt", "a").await;
    let wish = LinkWish {
        password: true,
        new_password: Some(PASSWORD.to_owned().into()),
        ..wish(&[Permission::Preview, Permission::Download])
    };
    let link = share(server, "shared", &wish).await;
    let attempt = async |password: Option<&str>| match server.visit(&url(server, &link), password).await {
        Ok(visitor) => Ok(names(&visitor, &path(&link, "")).await.len()),
        Err(AuthError::Link(refusal)) => Err(refusal),
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(attempt(None).await, Err(LinkRefusal::PasswordNeeded));
    assert_eq!(attempt(Some("another")).await, Err(LinkRefusal::WrongPassword));
    assert_eq!(attempt(Some(PASSWORD)).await, Ok(1));
    remove(server, &link).await;
}

async fn downloads_are_counted_where_they_begin_at_the_first_byte(server: &Server) {
    server.write("shared/a.txt", "content of a").await;
    let wish = LinkWish { max_downloads: Some(2), ..wish(&[Permission::Preview, Permission::Download]) };
    let link = share(server, "shared", &wish).await;
    let visitor = visit(server, &link).await;
    let file = path(&link, "a.txt");
    for _ in 0..3 {
        visitor.s3.get(&file, Some(3..6)).await.expect("a range").body.try_collect::<Vec<_>>().await.expect("a body");
    }
    visitor.s3.get(&file, Some(0..2)).await.expect("a range").body.try_collect::<Vec<_>>().await.expect("a body");
    content(&visitor, &file).await.expect("the second download");
    server.until("the count is known", async || server.api().link(&link.uuid).await.expect("it").downloads == 2).await;
    let error = visitor.s3.get(&file, None).await.map(|_| ()).expect_err("used up");
    assert!(error.to_string().contains("allows no more downloads"), "{error:?}");
    visitor.s3.head(&file).await.expect("a look at it");
    remove(server, &link).await;
}

async fn links_that_are_gone_or_over_have_pages_that_say_so(server: &Server) {
    server.write("shared/a.txt", "a").await;
    let page = async |link: &LinkUrl| LinkPage::fetch(&server.http(), link).await;
    let refusal = async |link: &LinkUrl| match page(link).await {
        Ok(_) => None,
        Err(AuthError::Link(refusal)) => Some(refusal),
        Err(error) => panic!("{error:?}"),
    };
    let unknown = LinkUrl::parse(&format!("{}/public/no-such-link-00", server.url)).expect("a link").0;
    assert_eq!(refusal(&unknown).await, Some(LinkRefusal::Unknown));
    let link = share(server, "shared", &wish(&[Permission::Preview])).await;
    assert_eq!(refusal(&url(server, &link)).await, None);
    remove(server, &link).await;
    assert_eq!(refusal(&url(server, &link)).await, Some(LinkRefusal::Unknown));
    let soon = Timestamp::now() + 2.seconds();
    let short = share(server, "shared", &LinkWish { expires: Some(soon), ..wish(&[Permission::Preview]) }).await;
    let short_url = url(server, &short);
    server.until("it is over", async || refusal(&short_url).await == Some(LinkRefusal::Expired)).await;
    remove(server, &short).await;
}

async fn sessions_of_visitors_are_renewed(server: &Server) {
    server.write("shared/a.txt", "a").await;
    let link = share(server, "shared", &wish(&[Permission::Preview])).await;
    let visitor = visit(server, &link).await;
    let tokens = &visitor.sender.tokens;
    let first = tokens.token(std::time::Duration::ZERO).await.expect("a token");
    let second = tokens.renew(&first).await.expect("another");
    assert_ne!(first.expose(), second.expose());
    assert_eq!(names(&visitor, &path(&link, "")).await.len(), 1);
    tokens.close().await;
    remove(server, &link).await;
}
