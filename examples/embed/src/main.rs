//! An application with logins of its own that has chat: people under the names they have there, a bot, and news from elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use std::{env, io};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use roomlog::serve::{Credentials, ServeConfig, serve};
use roomlog::sse::{self, SseConfig};
use roomlog::ws::{self, WsConfig};
use roomlog::{Admission, ConnectRequest, Engine, Event, Identity, Nick, Observer, ObserverEvent, Policy};
use roomlog::{Reject, RejectCode, RoomCode, Seq, async_trait};
use tokio::sync::mpsc;

/// The application's own state: who has logged in, by the cookie that each was given.
#[derive(Clone, Default)]
struct App {
    logins: Arc<RwLock<HashMap<String, Nick>>>,
}

impl App {
    fn who(&self, login: &str) -> Option<Nick> {
        self.logins.read().expect("no panic").get(login).cloned()
    }
}

/// Who has logged in comes in, as one person on all devices, under the name of their login; nobody else does.
#[async_trait]
impl Policy for App {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let nick = self.who(request.credentials.as_deref().unwrap_or_default());
        let nick = nick.ok_or_else(|| Reject::new(RejectCode::Forbidden, "log in first"))?;
        Ok(Admission::of(Identity::new(nick.as_str())).with_nick(nick))
    }
}

/// Tells the bot of each message with a link.
struct Links(mpsc::UnboundedSender<(RoomCode, Seq)>);

impl Observer for Links {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::Published { room, record, .. } = event
            && let (Event::Sent { text, .. }, Some(seq)) = (&record.event, record.seq)
            && text.as_str().contains("://")
        {
            let _ = self.0.send((room.clone(), seq));
        }
    }
}

/// Takes it back, and says why. The room may be gone by then.
async fn bot(engine: Engine, mut links: mpsc::UnboundedReceiver<(RoomCode, Seq)>) {
    while let Some((room, seq)) = links.recv().await {
        let room = engine.room(&room);
        let _ = (room.redact(seq).await, room.say("Bot", "No links here, please.").await);
    }
}

/// What another service posts here is said in the room. An application of yours asks for its secret, or looks at a signature.
async fn news(engine: Engine, room: String, text: String) -> Result<StatusCode, (StatusCode, String)> {
    let refused = |reject: Reject| (StatusCode::UNPROCESSABLE_ENTITY, reject.message.into_owned());
    let room: RoomCode = room.parse().map_err(refused)?;
    engine.room(&room).say("News", text).await.map(|_| StatusCode::NO_CONTENT).map_err(refused)
}

/// An application of yours asks for a password here.
async fn log_in(State(app): State<App>, name: String) -> Response {
    match name.parse::<Nick>() {
        Err(reject) => (StatusCode::BAD_REQUEST, reject.message.into_owned()).into_response(),
        Ok(nick) => {
            let login = format!("{:032x}", rand::random::<u128>());
            let cookie = format!("login={login}; Path=/; HttpOnly; SameSite=Lax");
            app.logins.write().expect("no panic").insert(login, nick);
            (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
        }
    }
}

async fn who_am_i(State(app): State<App>, headers: HeaderMap) -> Result<String, StatusCode> {
    let cookies = headers.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    let login = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("login="));
    let nick = login.and_then(|login| app.who(login)).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(nick.as_str().to_owned())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::default();
    let (found, links) = mpsc::unbounded_channel();
    let engine = Engine::builder().policy(Arc::new(app.clone())).observer(Arc::new(Links(found)));
    let engine = engine.host_names(["Bot", "News"]).expect("they are names").build();
    tokio::spawn(bot(engine.clone(), links));
    let credentials = Credentials::off().cookie("login");
    let ws = WsConfig { credentials: credentials.clone(), ..WsConfig::default() };
    let sse = SseConfig { credentials, ..SseConfig::default() };
    let chat = ws::routes(engine.clone(), ws).merge(sse::routes(engine.clone(), sse));
    let host = engine.clone();
    let router = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/login", post(log_in))
        .route("/me", get(who_am_i))
        .route("/news/{room}", post(async |Path(room), text| news(host, room, text).await))
        .nest("/chat", chat)
        .with_state(app);
    let at = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5000".to_owned());
    let listener = tokio::net::TcpListener::bind(at).await?;
    println!("Chat is at http://{}/", listener.local_addr()?);
    let ended = async {
        let _ = tokio::signal::ctrl_c().await;
        engine.drain(Duration::from_secs(5)).await;
    };
    serve(listener, router, ServeConfig::default(), ended).await;
    Ok(())
}
