//! The secret that session tokens are signed with: drawn once, and kept in the database beside the rooms.

use rand::TryRng;
use rand::rngs::SysRng;

use crate::connection::Connection;
use crate::error::OpenError;

/// The 32 bytes in `meta`, drawn from the operating system and written when they are first asked for.
pub(crate) async fn secret(connection: &Connection) -> Result<[u8; 32], OpenError> {
    let mut drawn = [0; 32];
    SysRng.try_fill_bytes(&mut drawn).map_err(|error| OpenError::Database(error.to_string()))?;
    let text: String = drawn.iter().map(|byte| format!("{byte:02x}")).collect();
    connection.execute("insert into meta (key, value) values ('secret', $1) on conflict do nothing", &[&text]).await?;
    // Perhaps another server was first: what is there counts.
    let stored: String = connection.query_one("select value from meta where key = 'secret'", &[]).await?.get(0);
    read(&stored).ok_or_else(|| OpenError::Unfit("the secret in the database is not 64 hexadecimal digits".to_owned()))
}

fn read(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}
