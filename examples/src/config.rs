//! Where a server's flags come from: the command line, then its environment, then a file, then the defaults.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::builder::OsStringValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// What variables of the environment begin with: that of `--send-rate` is `CHAT_SEND_RATE`.
const VARIABLES: &str = "CHAT_";
/// These two are about all others, and stand in no file.
const FILE_FLAG: &str = "config";
const CHECK_FLAG: &str = "check-config";

/// Flags about the flags.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigFlags {
    /// Read flags from this file, in TOML: their names without the dashes are its keys (`listen = "0.0.0.0:5000"`). What the command line or a
    /// variable of the environment says comes first; of a flag that may be given several times the file's values are then not added
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Say what would be used, and where each of it comes from, and end: with status 0, or with 2 where something is wrong
    #[arg(long)]
    pub check_config: bool,
}

/// A command line with what the environment and a file add to it.
#[derive(Debug)]
pub struct Configured<A> {
    /// The arguments.
    pub arguments: A,
    command: Command,
    matches: ArgMatches,
    file: Option<File>,
}

/// Why there are no arguments.
#[derive(Debug)]
pub enum NotConfigured {
    /// Somebody asked for help or for the version, and this is it; or what is wrong with a flag, and where that comes from.
    Usage(clap::Error, Option<String>),
    /// What is wrong with the file.
    File(String),
}

impl NotConfigured {
    /// Whether it is an answer, and nothing is wrong.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Usage(error, _) if !error.use_stderr())
    }
}

impl std::fmt::Display for NotConfigured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(error, None) => write!(f, "{}", error.to_string().trim_end()),
            Self::Usage(error, Some(origin)) => write!(f, "{}\n\n{origin}", error.to_string().trim_end()),
            Self::File(what) => write!(f, "error: {what}"),
        }
    }
}

/// The variable of a flag.
fn variable_of(flag: &str) -> String {
    format!("{VARIABLES}{}", flag.replace('-', "_").to_ascii_uppercase())
}

/// The command line of `A`, every flag of it with its variable.
pub fn command<A: clap::CommandFactory>() -> Command {
    A::command().mut_args(|arg| {
        let Some(long) = arg.get_long().filter(|long| *long != CHECK_FLAG) else { return arg };
        let variable = variable_of(long);
        let is_list = matches!(arg.get_action(), ArgAction::Append);
        // What a variable holds is not shown: it may be a database's password.
        let arg = arg.env(variable).hide_env_values(true);
        if is_list { arg.value_delimiter(',') } else { arg }
    })
}

/// Reads a command line, the first of it the program's name, with what the environment and the file that it names add.
///
/// # Errors
/// See [`NotConfigured`].
pub fn configure<A: clap::Parser>(line: impl IntoIterator<Item = OsString>) -> Result<Configured<A>, NotConfigured> {
    let line: Vec<OsString> = line.into_iter().collect();
    let command = command::<A>();
    // What is wrong with the line itself is told as it is.
    let (file, line) = match given(&command, &line) {
        Some((given, Some(path))) => {
            let file = File::read(&command, &path, &given).map_err(NotConfigured::File)?;
            let (program, rest) = line.split_at(line.len().min(1));
            let line = program.iter().cloned().chain(file.line()).chain(rest.iter().cloned()).collect();
            (Some(file), line)
        }
        _ => (None, line),
    };
    let usage = |error: clap::Error| {
        let origin = origin(&command, &error, file.as_ref());
        NotConfigured::Usage(error, origin)
    };
    let matches = command.clone().try_get_matches_from(&line).map_err(usage)?;
    let arguments = A::from_arg_matches(&matches).map_err(usage)?;
    let named = matches.get_one::<PathBuf>(FILE_FLAG).filter(|_| matches.subcommand_name().is_none());
    // A flag of a kind that is not known here: better no server than one that has not read its file.
    if let (Some(path), None) = (named, &file) {
        return Err(NotConfigured::File(format!("{} cannot be read beside these flags", path.display())));
    }
    Ok(Configured { arguments, command, matches, file })
}

/// The flags that the line and the environment give, and the file that they name; `None` where the line cannot be read, or is a task of
/// its own, which has no use for a file.
fn given(command: &Command, line: &[OsString]) -> Option<(BTreeSet<String>, Option<PathBuf>)> {
    let any = |arg: &Arg| {
        let long = arg.get_long()?.to_owned();
        let any = Arg::new(long.clone()).long(long).short(arg.get_short()).action(arg.get_action().clone());
        let any = any.aliases(arg.get_all_aliases().unwrap_or_default().into_iter().map(str::to_owned));
        let any = arg.get_num_args().into_iter().fold(any, |any, values| any.num_args(values));
        let any = arg.get_env().map(OsStr::to_owned).into_iter().fold(any, |any, variable| any.env(variable));
        Some(match arg.get_action() {
            ArgAction::Set | ArgAction::Append => any.value_parser(OsStringValueParser::new()),
            _ => any,
        })
    };
    let any = Command::new("any").disable_help_flag(true).args(command.get_arguments().filter_map(any));
    let matches = any.try_get_matches_from(line).ok()?;
    let is_given =
        |id: &str| matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
    let given = matches.ids().map(|id| id.as_str().to_owned()).filter(|id| is_given(id)).collect();
    Some((given, matches.get_one::<OsString>(FILE_FLAG).map(PathBuf::from)))
}

/// A file of flags.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Those that nobody else has given: by name, each value as it would be written behind the flag; none for one that stands alone.
    flags: Vec<(String, Vec<Option<String>>)>,
}

impl File {
    fn read(command: &Command, path: &Path, given: &BTreeSet<String>) -> Result<Self, String> {
        let name = path.display();
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => format!("{name} is no text"),
            _ => format!("{name} cannot be read: {error}"),
        })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("{name}, line {line}: {}", error.message())
        })?;
        let flags = table.into_iter().map(|(key, value)| {
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(&key) && !is_about_flags(&key));
            let arg = arg.ok_or_else(|| {
                let meant = key.replace('_', "-");
                let is_flag = command.get_arguments().any(|arg| arg.get_long() == Some(&meant));
                let hint = if is_flag && meant != key { format!("; write {meant}") } else { String::new() };
                format!("{name}: no flag has the name {key:?}{hint}")
            })?;
            let values = values(arg, value).map_err(|what| format!("{name}: {key} {what}"))?;
            Ok((key, values))
        });
        let mut flags = flags.collect::<Result<Vec<_>, String>>()?;
        flags.retain(|(name, _)| !given.contains(name));
        Ok(Self { path: path.to_owned(), flags })
    }

    /// As a command line has them.
    fn line(&self) -> impl Iterator<Item = OsString> {
        self.flags.iter().flat_map(|(name, values)| {
            values.iter().map(move |value| match value {
                Some(value) => format!("--{name}={value}").into(),
                None => format!("--{name}").into(),
            })
        })
    }

    fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(known, _)| known == name)
    }
}

fn is_about_flags(name: &str) -> bool {
    matches!(name, FILE_FLAG | CHECK_FLAG)
}

/// A value of a file as the flag takes it.
fn values(arg: &Arg, value: toml::Value) -> Result<Vec<Option<String>>, String> {
    let one = |value: toml::Value| match value {
        toml::Value::String(text) => Ok(Some(text)),
        toml::Value::Integer(number) => Ok(Some(number.to_string())),
        toml::Value::Float(number) => Ok(Some(number.to_string())),
        toml::Value::Boolean(truth) => Ok(Some(truth.to_string())),
        toml::Value::Datetime(_) => Err("takes no date".to_owned()),
        toml::Value::Array(_) => Err("takes one value, and no list".to_owned()),
        toml::Value::Table(_) => Err("takes a value, and is no table".to_owned()),
    };
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, toml::Value::Boolean(true)) => Ok(vec![None]),
        (ArgAction::SetTrue, toml::Value::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err("is true or false".to_owned()),
        (ArgAction::Append, toml::Value::Array(list)) => list.into_iter().map(one).collect(),
        (_, value) => Ok(vec![one(value)?]),
    }
}

/// Where the flag that an error is about comes from, where that is not to be seen on the command line.
fn origin(command: &Command, error: &clap::Error, file: Option<&File>) -> Option<String> {
    let about = match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(about) => about,
        ContextValue::Strings(about) => about.first()?,
        _ => return None,
    };
    let name = about.strip_prefix("--")?.split([' ', '=']).next()?;
    if let Some(file) = file.filter(|file| file.has(name)) {
        return Some(format!("{name} is in {}", file.path.display()));
    }
    let variable = command.get_arguments().find(|arg| arg.get_long() == Some(name))?.get_env()?;
    std::env::var_os(variable).map(|_| format!("{} is in the environment", variable.display()))
}

impl<A> Configured<A> {
    /// Of the names of these variables those that look like a flag's and are none: misspelt, or of another version. `known` are variables
    /// that are read although they are no flag's.
    pub fn strangers(&self, variables: impl IntoIterator<Item = OsString>, known: &[&str]) -> Vec<String> {
        let flags: BTreeSet<&OsStr> = self.command.get_arguments().filter_map(Arg::get_env).collect();
        let names = variables.into_iter().filter(|name| !flags.contains(name.as_os_str()));
        let names = names.filter_map(|name| name.into_string().ok());
        let mut strangers: Vec<String> =
            names.filter(|name| name.starts_with(VARIABLES) && !known.contains(&name.as_str())).collect();
        strangers.sort_unstable();
        strangers
    }

    /// What would be used, flag by flag as a file would have it, each with where it comes from; what is as it is by itself, as comments.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for arg in self.command.get_arguments() {
            let Some(name) = arg.get_long().filter(|name| !is_about_flags(name)) else { continue };
            let id = arg.get_id().as_str();
            let values: Vec<String> = match self.matches.get_raw(id) {
                Some(raw) => raw.map(|value| quoted(&value.to_string_lossy())).collect(),
                None => Vec::new(),
            };
            let value = match (arg.get_action(), &values[..]) {
                (ArgAction::SetTrue, _) => self.matches.get_flag(id).to_string(),
                (_, []) => {
                    let _ = writeln!(report, "# {name} is not set");
                    continue;
                }
                (ArgAction::Append, values) => format!("[{}]", values.join(", ")),
                (_, [value, ..]) => value.clone(),
            };
            let origin = match (self.matches.value_source(id), &self.file) {
                (Some(ValueSource::EnvVariable), _) => variable_of(name),
                (Some(ValueSource::CommandLine), Some(file)) if file.has(name) => file.path.display().to_string(),
                (Some(ValueSource::CommandLine), _) => format!("--{name}"),
                // Beside the flags that it goes with it may be given, and not alone.
                _ => {
                    let _ = writeln!(report, "# {name} = {value}  # default");
                    continue;
                }
            };
            let _ = writeln!(report, "{name} = {value}  # {origin}");
        }
        report
    }
}

/// A value as TOML has it; of the address of a database without the password.
fn quoted(value: &str) -> String {
    if value.parse::<i64>().is_ok_and(|number| number.to_string() == value) {
        return value.to_owned();
    }
    toml::Value::from(without_password(value)).to_string()
}

/// In an address it stands before the host, or in the query.
fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    // A password may have any other sign of an address in it.
    let user = rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
    let shown = match user {
        Some((user, password)) => format!("{user}:...{}", &rest[user.len() + 1 + password.len()..]),
        None => rest.to_owned(),
    };
    let shown = shown.split('&').map(|part| match part.split_once("password=") {
        Some((before, _)) => format!("{before}password=..."),
        None => part.to_owned(),
    });
    format!("{scheme}://{}", shown.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests;
