//! Names in the guide for users of axum and tonic.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const GUIDE: &str = include_str!("../src/docs/from_axum.md");

/// Names in the crate documentation of axum 0.8.9, and items at the root of the crate.
const AXUM: &[&str] = &[
    "Router",
    "serve",
    "routing",
    "handler",
    "Handler",
    "extract",
    "FromRequest",
    "FromRequestParts",
    "Path",
    "Query",
    "HeaderMap",
    "Json",
    "Form",
    "response",
    "IntoResponse",
    "error_handling",
    "HandleErrorLayer",
    "middleware",
    "tower::Service",
    "Service::poll_ready",
    "Infallible",
    "State",
    "FromRef",
    "Router::with_state",
    "Extension",
    "tokio::task_local!",
    "axum-core",
    "tower-http",
    "body",
    "Request",
    "BoxError",
    "Error",
    "RequestExt",
    "RequestPartsExt",
    "ServiceExt",
    "debug_handler",
    "debug_middleware",
    "http",
];

/// Names in the crate documentation of tonic 0.14.6, and items at the root of the crate.
const TONIC: &[&str] = &[
    "tonic-build",
    "transport",
    "server",
    "client",
    "codegen",
    "codec",
    "Codec",
    "Streaming",
    "Channel",
    "Server",
    "Connected",
    "metadata",
    "service",
    "body",
    "Request",
    "Response",
    "Status",
    "Code",
    "ConnectError",
    "TimeoutExpired",
    "IntoRequest",
    "IntoStreamingRequest",
    "Extensions",
    "GrpcMethod",
    "Result",
    "gzip",
    "deflate",
    "zstd",
    "tls-ring",
    "tls-aws-lc",
    "tls-connect-info",
    "max_decoding_message_size",
    "max_encoding_message_size",
];

/// Imports items, and lists their paths.
macro_rules! items {
    ($($name:ident $(:: $segment:ident)*),* $(,)?) => {
        #[allow(unused_imports, reason = "they need only exist")]
        mod imported {
            $(use sctp_service::$name $(::$segment)* as _;)*
        }

        const ITEMS: &[&str] = &[$(concat!(stringify!($name) $(, "::", stringify!($segment))*)),*];
    };
}

items![
    AssociationHandle,
    CallError,
    Cause,
    Config,
    ConnectInfo,
    Drain,
    Executor,
    Extension,
    Extensions,
    Handler,
    IntoReply,
    KeyRouter,
    Listener,
    ListenerExt,
    MakeService,
    Message,
    Parts,
    Payload,
    Ppid,
    Received,
    RecvInfo,
    Reply,
    ReplyPart,
    ReplyStream,
    Request,
    RequestOrder,
    Router,
    Serve,
    Shutdown,
    State,
    StreamId,
    Transport,
    Typed,
    client::Client,
    client::ClientBuilder,
    client::ClientConfig,
    client::Connect,
    client::Remote,
    codec,
    codec::DecodePayload,
    codec::EncodePayload,
    extract,
    extract::FromRef,
    extract::FromRequest,
    extract::FromRequestParts,
    guide::errors,
    guide::testing,
    handler,
    handler::awaiting,
    handler::handler_fn,
    layer,
    layer::AbortOnErrorLayer,
    layer::CatchPanicLayer,
    layer::TraceLayer,
    layer::from_fn,
    layer::from_fn_with_state,
    layer::map_reply,
    layer::map_request,
    sctp_tokio,
    sctp_tokio::ConnectError,
    sctp_tokio::SocketBuilder,
    serve,
    tower_service,
];

/// Returns the columns of the tables.
fn rows(guide: &str) -> Vec<Vec<&str>> {
    guide
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect()
}

/// Returns the code spans of a text, also without their arguments and their type.
fn names(text: &str) -> BTreeSet<&str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|span| {
            let name = span.split(['(', '<']).next().unwrap_or(span);
            [span, name, name.rsplit("::").next().unwrap_or(name)]
        })
        .collect()
}

/// Returns the items of this crate that a text links to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](crate::")
        .skip(1)
        .filter_map(|rest| rest.split([')', '(']).next())
}

fn assert_all_named(theirs: &[&str], section: &str) {
    let rows = rows(section);
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| names(row[0])).collect();
    let missing: Vec<_> = theirs
        .iter()
        .filter(|name| !named.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

#[test]
fn guide_has_each_name_of_axum_and_tonic() {
    let (axum, tonic) = GUIDE
        .split_once("# Names of tonic")
        .expect("a section for tonic");
    assert_all_named(AXUM, axum);
    assert_all_named(TONIC, tonic);
}

/// Returns `true` if a source file defines a method or field of this name.
fn is_defined(path: &Path, name: &str) -> bool {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        return entries
            .filter_map(Result::ok)
            .any(|entry| is_defined(&entry.path(), name));
    }
    let source = fs::read_to_string(path).unwrap_or_default();
    [
        format!("fn {name}("),
        format!("fn {name}<"),
        format!("pub {name}: "),
    ]
    .iter()
    .any(|definition| source.contains(definition))
}

#[test]
fn each_linked_name_of_ours_exists() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let sources = [root.join("src"), root.join("../sctp-tokio/src")];
    let mut seen = 0;
    for link in links(GUIDE) {
        seen += 1;
        if ITEMS.contains(&link) {
            continue;
        }
        let (item, member) = link.rsplit_once("::").unwrap_or((link, ""));
        assert!(
            ITEMS.contains(&item),
            "`{item}` of `{link}` is not in the list of this test"
        );
        let is_defined = sources.iter().any(|source| is_defined(source, member));
        // Variants are named in capitals, and rustdoc finds them.
        let is_variant = member.starts_with(char::is_uppercase);
        assert!(
            is_defined || is_variant,
            "`{member}` of `{link}` does not exist"
        );
    }
    assert!(seen > 80, "{seen} links");
}

#[test]
fn each_row_of_a_table_names_something_of_ours() {
    for row in rows(GUIDE) {
        let ours = row.get(1).copied().unwrap_or_default();
        let is_named = ours.contains("](") || ours.contains('`') || ours == "here";
        let is_told = ["none", "not needed", "the same"]
            .iter()
            .any(|word| ours.starts_with(word));
        let is_described = row.len() == 3 && !ours.trim().is_empty();
        assert!(is_named || is_told || is_described, "{row:?}");
    }
}
