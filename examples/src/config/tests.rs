//! Files of flags beside a command line of a test's own.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
#[command(name = "test")]
struct Arguments {
    #[command(flatten)]
    config: ConfigFlags,
    #[arg(long, default_value = "here")]
    place: String,
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    often: u32,
    #[arg(long = "friend")]
    friends: Vec<String>,
    #[arg(long, requires = "friends")]
    loud: bool,
}

/// A file with this text, and a line that names it and goes on with the rest.
fn with(text: &str, rest: &[&str]) -> (tempfile::TempDir, Result<Configured<Arguments>, NotConfigured>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.toml");
    fs::write(&path, text).expect("writable");
    let line = ["test", "--config"].map(OsString::from).into_iter().chain([path.into()]);
    let configured = configure(line.chain(rest.iter().map(OsString::from)));
    (folder, configured)
}

fn read(text: &str, rest: &[&str]) -> Arguments {
    with(text, rest).1.unwrap_or_else(|wrong| panic!("{wrong}")).arguments
}

fn wrong(text: &str, rest: &[&str]) -> String {
    with(text, rest).1.expect_err("something is wrong").to_string()
}

#[test]
fn a_file_says_what_the_line_does_not() {
    let text = "place = \"there\"\noften = 3\nfriend = [\"a\", \"b\"]\nloud = true\n";
    let all = read(text, &[]);
    assert_eq!((all.place.as_str(), all.often, all.loud), ("there", 3, true));
    assert_eq!(all.friends, ["a", "b"]);
    let some = read(text, &["--often", "5", "--friend=c", "--friend", "d,e"]);
    assert_eq!((some.place.as_str(), some.often), ("there", 5));
    assert_eq!(some.friends, ["c", "d", "e"], "a list is taken whole");
    assert_eq!(read("", &[]).place, "here");
    assert!(!read("loud = false", &[]).loud);
    assert_eq!(read("often = \"4\"\nfriend = \"a\"", &[]).friends, ["a"]);
}

#[test]
fn what_stands_in_the_file_keeps_the_rules_of_the_line() {
    let refused = wrong("often = 0", &[]);
    assert!(refused.contains("invalid value '0' for '--often") && refused.contains("often is in /"), "{refused}");
    assert!(wrong("loud = true", &[]).contains("--friend"));
    assert!(read("loud = true", &["--friend", "a"]).loud);
    let on_line = wrong("often = 3", &["--often", "0"]);
    assert!(!on_line.contains("is in"), "{on_line}");
}

#[test]
fn a_key_that_is_no_flag_is_named() {
    for (text, words) in [
        ("plaice = 1", "no flag has the name \"plaice\""),
        ("config = \"other.toml\"", "no flag has the name \"config\""),
        ("check-config = true", "no flag has the name \"check-config\""),
        ("help = true", "no flag has the name \"help\""),
        ("[place]\nx = 1", "place takes a value, and is no table"),
        ("place = [\"a\"]", "place takes one value, and no list"),
        ("place = 2026-11-30", "place takes no date"),
        ("loud = \"yes\"", "loud is true or false"),
        ("place = \"a\"\nplace = \"b\"", "line 2"),
        ("place =", "line 1"),
    ] {
        let said = wrong(text, &[]);
        assert!(said.contains(words) && said.contains("chat.toml"), "{text}: {said}");
    }
    let missing = configure::<Arguments>(["test", "--config", "/nowhere/chat.toml"].map(OsString::from));
    let missing = missing.expect_err("there is none").to_string();
    assert!(missing.contains("/nowhere/chat.toml cannot be read"), "{missing}");
}

#[test]
fn a_file_is_read_beside_flags_of_every_kind() {
    #[derive(Debug, Parser)]
    struct Odd {
        #[command(flatten)]
        _config: ConfigFlags,
        #[arg(short, long, alias = "loudness", num_args = 0..=1, default_missing_value = "9")]
        volume: Option<u32>,
        #[arg(short, long)]
        quiet: bool,
        #[arg(long)]
        place: Option<String>,
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.toml");
    fs::write(&path, "place = \"there\"\nvolume = 1\n").expect("writable");
    for (rest, volume) in [(&["-q"][..], 1), (&["-v"], 9), (&["--volume=5", "-q"], 5), (&["--loudness", "3"], 3)] {
        let line = ["test".into(), "--config".into(), path.clone().into()];
        let line = line.into_iter().chain(rest.iter().map(OsString::from));
        let odd = configure::<Odd>(line).unwrap_or_else(|wrong| panic!("{rest:?}: {wrong}")).arguments;
        assert_eq!((odd.volume, odd.quiet, odd.place.as_deref()), (Some(volume), rest.contains(&"-q"), Some("there")));
    }
}

#[test]
fn a_name_with_the_wrong_dash_is_put_right() {
    #[derive(Debug, Parser)]
    struct Dashed {
        #[command(flatten)]
        config: ConfigFlags,
        #[arg(long)]
        send_rate: Option<u32>,
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.toml");
    let read = |text: &str| {
        fs::write(&path, text).expect("writable");
        configure::<Dashed>(["test".into(), "--config".into(), path.clone().into()]).map(|read| read.arguments)
    };
    let dashed = read("send-rate = 1").expect("valid");
    assert_eq!((dashed.send_rate, dashed.config.config.as_deref()), (Some(1), Some(&*path)));
    let said = read("send_rate = 1").expect_err("a wrong key").to_string();
    assert!(said.contains("no flag has the name \"send_rate\"; write send-rate"), "{said}");
}

#[test]
fn the_report_is_a_file_that_says_the_same() {
    let (_folder, configured) = with("often = 3\nfriend = [\"a\\\"b\"]\n", &["--place", "there"]);
    let report = configured.expect("valid").report();
    for (start, end) in [
        ("place = \"there\"", "# --place"),
        ("often = 3", "chat.toml"),
        ("friend = ['a\"b']", "chat.toml"),
        ("# loud = false", "# default"),
    ] {
        assert!(report.lines().any(|line| line.starts_with(start) && line.ends_with(end)), "{start}: {report}");
    }
    let again = read(&report, &[]);
    assert_eq!((again.place.as_str(), again.often), ("there", 3));
    assert_eq!(again.friends, ["a\"b"]);
}

#[test]
fn a_password_is_nobodys_business() {
    for (value, shown) in [
        ("postgres://chat:swordfish@db/chat", "postgres://chat:...@db/chat"),
        ("postgres://chat:sword@fish@db/chat?x=1", "postgres://chat:...@db/chat?x=1"),
        ("postgres:///chat?user=a&password=swordfish&x=1", "postgres:///chat?user=a&password=...&x=1"),
        ("postgres://chat:sword/fi?sh@db/chat", "postgres://chat:...@db/chat"),
        ("postgres://db/chat?password=swordfish", "postgres://db/chat?password=..."),
        ("postgres://chat@db/chat", "postgres://chat@db/chat"),
        ("rooms", "rooms"),
    ] {
        assert_eq!(without_password(value), shown);
    }
}

#[test]
fn every_flag_has_a_variable() {
    let command = command::<Arguments>();
    let variable = |name: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name)).expect("a flag");
        arg.get_env().map(|variable| variable.to_string_lossy().into_owned())
    };
    assert_eq!(variable("place").as_deref(), Some("CHAT_PLACE"));
    assert_eq!(variable("config").as_deref(), Some("CHAT_CONFIG"));
    assert_eq!(variable("check-config"), None);
}

#[test]
fn a_variable_that_is_nobodys_is_known_by_its_name() {
    let (_folder, configured) = with("", &[]);
    let set = ["CHAT_OFTEN", "CHAT_OFTN", "CHAT_TOKEN", "CHAT_", "OFTEN", "chat_oftn", "CHAT_CONFIG"];
    let strangers = configured.expect("nothing is wrong").strangers(set.map(OsString::from), &["CHAT_TOKEN"]);
    assert_eq!(strangers, ["CHAT_", "CHAT_OFTN"]);
}
