//! The files for operators in `examples/deploy`: programs that read them find nothing wrong, and the server knows all that they say.
//!
//! What nginx and Caddy do with theirs is tested beside this, from the page that has the same files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const PROXIES: &str = include_str!("../../docs/proxies.md");
const UNIT: &str = include_str!("../deploy/chat.service");
const CONTAINER: &str = include_str!("../deploy/Containerfile");
const NGINX: &str = include_str!("../deploy/nginx.conf");
const CADDY: &str = include_str!("../deploy/Caddyfile");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// A program of the system. Not every user has the folders of those in their path. With `CI=true` those that CI installs must be there.
fn program(name: &str, is_installed_by_ci: bool) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = env::split_paths(&paths).chain(system).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        let may_be_missing = env::var("CI").as_deref() != Ok("true") || !is_installed_by_ci;
        assert!(may_be_missing, "{name} is not installed, and CI must not skip this");
        eprintln!("{name} is not installed: its file is not tested");
    }
    found
}

/// What a program has said, which must be that all is well.
fn said(output: Output) -> String {
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn the_files_for_proxies_are_those_of_the_page() {
    let block = |language: &str| PROXIES.split(language).nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(block("```nginx\n"), Some(NGINX));
    assert_eq!(block("```caddyfile\n"), Some(CADDY));
}

#[test]
fn nginx_takes_its_file() {
    let Some(nginx) = program("nginx", true) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().display();
    // What a distribution has around the files of `conf.d`, in this folder; and no port, as another test may have it.
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path {at}/{what};\n"));
    let (temporary, site) = (temporary.concat(), NGINX.replace("listen 80;", &format!("listen unix:{at}/socket;")));
    let whole = format!("pid {at}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n");
    let path = folder.path().join("nginx.conf");
    fs::write(&path, whole).expect("writable");
    let log = folder.path().join("log");
    said(Command::new(nginx).arg("-t").arg("-c").arg(&path).arg("-e").arg(&log).output().expect("it runs"));
}

#[test]
fn caddy_takes_its_file() {
    let Some(caddy) = program("caddy", true) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(caddy);
    command.args(["validate", "--adapter", "caddyfile", "--config"]).arg(root().join("examples/deploy/Caddyfile"));
    command.env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
    said(command.output().expect("it runs"));
}

#[test]
fn systemd_takes_its_unit() {
    let Some(analyze) = program("systemd-analyze", false) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.service");
    // It looks whether the program is there.
    fs::write(&path, UNIT.replace("/usr/local/bin/server", env!("CARGO_BIN_EXE_server"))).expect("writable");
    let verified = Command::new(analyze).args(["verify", "--man=no"]).arg(&path).output().expect("it runs");
    assert_eq!(said(verified).trim(), "");
}

fn server() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    let names = env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("CHAT_"));
    names.for_each(|name| {
        command.env_remove(name);
    });
    command
}

#[test]
fn the_server_takes_its_file_and_the_flags_of_the_unit() {
    let line = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/server "));
    let flags: Vec<_> = line.expect("it starts the server").split(' ').collect();
    assert_eq!(flags, ["--config", "/etc/chat/chat.toml"]);
    let file = root().join("examples/deploy/chat.toml");
    let checked = server().arg("--config").arg(&file).arg("--check-config").output().expect("it is built");
    assert!(said(checked).contains("data = \"/var/lib/chat\""));
    // The one folder that the unit lets it write to.
    assert!(UNIT.contains("\nStateDirectory=chat\n"));
}

#[test]
fn the_server_takes_what_a_container_says() {
    let from_line = |start: &'static str| CONTAINER.lines().filter_map(move |line| line.strip_prefix(start));
    let mut server = server();
    for (name, value) in from_line("ENV CHAT_").flat_map(|rest| rest.split(' ')).filter_map(|pair| pair.split_once('='))
    {
        let name = if name.starts_with("CHAT_") { name.to_owned() } else { format!("CHAT_{name}") };
        server.env(name, value);
    }
    let checked = server.arg("--check-config").output().expect("it is built");
    let report = said(checked);
    for line in ["listen = \"0.0.0.0:5000\"  # CHAT_LISTEN", "data = \"/var/lib/chat\"  # CHAT_DATA"] {
        assert!(report.contains(line), "{report}");
    }
    // Each is a list in JSON, or it would need a shell.
    for line in
        from_line("ENTRYPOINT ").chain(CONTAINER.lines().filter_map(|line| line.split_once(" CMD ").map(|it| it.1)))
    {
        let words: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(words[0], "/usr/local/bin/server");
    }
    let profile = fs::read_to_string(root().join("Cargo.toml")).expect("readable");
    assert!(CONTAINER.contains("--profile dist") && profile.contains("\n[profile.dist]\n"));
    assert!(CONTAINER.contains("rust:1.95-") && profile.contains("\nrust-version = \"1.95\"\n"));
}
