//! What a server looks at before it takes rooms from other servers: whatever would have it end at once after that.

use super::admin::{AdminError, AdminFlags};
use super::flags::Flags;
use super::run::{bind, cannot_listen};
use super::webhook::WebhookFlags;

/// Whether the certificate and the secrets can be used and the addresses be listened on. Somebody may take an address until the server listens there;
/// that is found then.
///
/// # Errors
/// In words, what cannot.
pub fn preflight(flags: &Flags, admin: &AdminFlags, webhook: &WebhookFlags) -> Result<(), String> {
    flags.tls().map_err(|error| format!("Cannot use TLS: {error}"))?;
    admin.check(flags.listen).map_err(|error| error.to_string())?;
    webhook.check().map_err(|error| error.to_string())?;
    // Both at once, and one of them listened on: they may be one and the same.
    let listened = bind(flags.listen).and_then(|socket| socket.listen(1));
    let listened = listened.map_err(|error| cannot_listen(flags.listen, &error))?;
    if let Some(at) = admin.admin {
        bind(at).map_err(|error| AdminError::Listen(at, error).to_string())?;
    }
    drop(listened);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        flags: Flags,
        #[command(flatten)]
        admin: AdminFlags,
        #[command(flatten)]
        data: crate::DataFlags,
    }

    #[tokio::test]
    async fn what_would_end_a_server_is_found_before_it_takes_rooms() {
        let look = |arguments: &[&str]| {
            let all = Arguments::try_parse_from([&["server"], arguments].concat()).expect("they are right");
            preflight(&all.flags, &all.admin, &all.data.webhook)
        };
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let taken = taken.local_addr().map(|at| at.to_string()).map(|at| (at, taken)).expect("it listens");
        assert_eq!(look(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]), Ok(()));
        let listen = look(&["--listen", &taken.0]).expect_err("it is taken");
        assert!(listen.contains("Cannot listen on") && listen.contains("is another server running?"), "{listen}");
        let admin = look(&["--listen", "127.0.0.1:0", "--admin", &taken.0]).expect_err("it is taken");
        assert!(admin.contains("for --admin"), "{admin}");
        let free =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").to_string();
        let both = look(&["--listen", &free, "--admin", &free]).expect_err("they are one and the same");
        assert!(both.contains("for --admin"), "{both}");
        let tls = ["--listen", "127.0.0.1:0", "--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"];
        assert!(look(&tls).expect_err("there is none").contains("Cannot use TLS"));
        let webhook = ["--listen", "127.0.0.1:0", "--data", "rooms", "--webhook", "http://127.0.0.1:1/"];
        assert!(look(&webhook).expect_err("there is no secret").contains("CHAT_WEBHOOK_SECRET"));
    }
}
