//! The nginx file of the proxies page, run: browsers come in by every transport through it, strangers' pages do not, and streams flow.
//!
//! Where nginx is not installed this is said and nothing is tested; with `CI=true` that is a failure.

mod support;
#[path = "support/through_proxy.rs"]
mod through_proxy;

use std::env;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PAGE: &str = include_str!("../../docs/proxies.md");
/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, nginx in front of it, and where that listens.
struct Proxied {
    _server: Child,
    _nginx: Child,
    _folder: TempDir,
    at: SocketAddr,
}

/// Where nginx is. Not every user has the folders of the system's programs in their path.
fn nginx() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = env::split_paths(&paths).chain(system).map(|folder| folder.join("nginx")).find(|path| path.is_file());
    if found.is_none() {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "nginx is not installed, and CI must not skip this test");
        // Past the capture of the test's output: whoever runs the tests is to know.
        writeln!(std::io::stderr(), "nginx is not installed: its file is not tested").expect("standard error is open");
    }
    found
}

/// The file as it stands on the page, for this server and this port.
fn file(server: SocketAddr, at: SocketAddr, folder: &Path) -> String {
    let block =
        PAGE.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the page has the file");
    let (mut file, folder) = (block.to_owned(), folder.display());
    for (written, here) in [("listen 80;", format!("listen {at};")), ("127.0.0.1:5000", server.to_string())] {
        assert_eq!(file.matches(written).count(), 1, "{written}");
        file = file.replace(written, &here);
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/{what};"))
        .join("\n");
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\n{file}}}\n"
    )
}

async fn start(nginx: &Path) -> Proxied {
    let (server, address) = support::start(&["--trusted-proxy", "127.0.0.1", "--host", "chat.example.org"]).await;
    let address = address.parse().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let at = through_proxy::free_address();
    let written = folder.path().join("nginx.conf");
    fs::write(&written, file(address, at, folder.path())).expect("written");
    let log = folder.path().join("error.log");
    let mut child = Command::new(nginx)
        .args([
            "-p".as_ref(),
            folder.path().as_os_str(),
            "-c".as_ref(),
            written.as_os_str(),
            "-e".as_ref(),
            log.as_os_str(),
        ])
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let listens = async {
        while TcpStream::connect(at).await.is_err() {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(&log).unwrap_or_default());
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, listens).await.expect("nginx listens");
    Proxied { _server: server, _nginx: child, _folder: folder, at }
}

#[tokio::test]
async fn browsers_come_in_through_nginx_and_strangers_pages_do_not() {
    let Some(nginx) = nginx() else { return };
    let proxied = start(&nginx).await;
    let at = proxied.at;
    through_proxy::browsers_come_in_and_strangers_pages_do_not(at).await;
    // nginx has but one site here, and serves it under every name; the server has its own.
    through_proxy::http(at, "evil.test", "http://evil.test", "GET /", "403 Forbidden").await;
    through_proxy::http(at, "evil.test", "http://evil.test", "GET /sse?create&nick=Eve", "403 Forbidden").await;
}
