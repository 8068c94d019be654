//! The Caddy file of the proxies page, run: browsers come in by every transport through it, strangers' pages do not, and streams flow.
//!
//! Caddy speaks without TLS here, as it would have to ask somebody for a certificate. Where it is not installed this is said and
//! nothing is tested; with `CI=true` that is a failure.

mod support;
#[path = "support/through_proxy.rs"]
mod through_proxy;

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

const PAGE: &str = include_str!("../../docs/proxies.md");
/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

fn is_installed() -> bool {
    let found = env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join("caddy").is_file());
    if !found {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "Caddy is not installed, and CI must not skip this test");
        eprintln!("Caddy is not installed: its file is not tested");
    }
    found
}

/// The file as it stands on the page, for this server and this port, without TLS.
fn file(server: &str, at: SocketAddr) -> String {
    let block = PAGE.split("```caddyfile\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut file = block.expect("the page has the file").to_owned();
    let site = format!("http://chat.example.org:{} {{", at.port());
    for (written, here) in [("chat.example.org {", site.as_str()), ("127.0.0.1:5000", server)] {
        assert_eq!(file.matches(written).count(), 1, "{written}");
        file = file.replace(written, here);
    }
    format!("{{\n\tadmin off\n\tauto_https off\n}}\n{file}")
}

#[tokio::test]
async fn browsers_come_in_through_caddy_and_strangers_pages_do_not() {
    if !is_installed() {
        return;
    }
    let (_server, address) = support::start(&["--trusted-proxy", "127.0.0.1", "--host", "chat.example.org"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let at = through_proxy::free_address();
    let [written, log] = ["Caddyfile", "log"].map(|name| folder.path().join(name));
    fs::write(&written, file(&address, at)).expect("written");
    let said = File::create(&log).expect("writable");
    let mut caddy = Command::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&written)
        .env("XDG_DATA_HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .stderr(said)
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let listens = async {
        while TcpStream::connect(at).await.is_err() {
            let ended = caddy.try_wait().expect("a child");
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(&log).unwrap_or_default());
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, listens).await.expect("Caddy listens");
    through_proxy::browsers_come_in_and_strangers_pages_do_not(at).await;
}
