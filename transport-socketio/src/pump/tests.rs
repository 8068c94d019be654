//! The pump against a faked session and queue.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use axum::Router;
use chat_core::FrameKind;
use chat_serve::Places;
use socketioxide::SocketIo;
use tokio::time::advance;

use super::super::engineio_session::EngineIoSessions;
use super::*;

const STALL: Duration = Duration::from_secs(30);
const FRAME: &str = r#"{"type":"message","text":"twenty"}"#;

/// Frames that are due, and what was said about them.
#[derive(Clone, Default)]
struct Due {
    frames: Rc<Cell<usize>>,
    committed: Rc<RefCell<Vec<usize>>>,
    closed: Rc<Cell<Option<CloseReason>>>,
    is_cut: Rc<Cell<bool>>,
}

impl Source for Due {
    fn poll_fill(&self, _: &Context<'_>, batch: &mut Batch) -> Poll<Fill> {
        for _ in 0..self.frames.get() {
            batch.json.extend_from_slice(FRAME.as_bytes());
            batch.frames.0.push((FrameKind::Message, None, batch.json.len()));
        }
        if self.frames.get() > 0 { Poll::Ready(Fill::Frames) } else { Poll::Pending }
    }

    fn written(&self, bytes: usize) {
        let taken = bytes / FRAME.len();
        self.frames.set(self.frames.get() - taken);
        self.committed.borrow_mut().push(taken);
    }

    fn close(&self, reason: CloseReason) {
        self.closed.set(Some(reason));
    }

    fn poll_cut(&self, _: &Context<'_>) -> Poll<()> {
        if self.is_cut.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A queue with so much room, and how often it was tried.
#[derive(Clone, Default)]
struct Queue {
    room: Rc<Cell<usize>>,
    tries: Rc<Cell<usize>>,
}

impl PacketSink for Queue {
    fn send(&self, _: FrameKind, _: Option<u64>, json: &str) -> Result<u64, Untaken> {
        self.tries.set(self.tries.get() + 1);
        match self.room.get() {
            0 => Err(Untaken::Full),
            room => {
                self.room.set(room - 1);
                Ok(json.len() as u64)
            }
        }
    }
}

struct Scene {
    due: Due,
    queue: Queue,
    engineio: Arc<EngineIoSession>,
    pump: Pump<Due, Queue>,
    timer: Pin<Box<Sleep>>,
    _sessions: Arc<EngineIoSessions>,
}

/// Where nobody is asked whether they are still there.
fn scene(due: usize, room: usize, ahead_max: u64) -> Scene {
    let config = SocketIoConfig { ping_interval: 1_000 * STALL, ..SocketIoConfig::default() };
    scene_with(due, room, ahead_max, config)
}

fn scene_with(due: usize, room: usize, ahead_max: u64, config: SocketIoConfig) -> Scene {
    let (service, _) = SocketIo::builder().build_with_inner_svc(Router::new());
    let engineio_sessions = Arc::new(EngineIoSessions::new(service, "/socket.io".to_owned(), Places::new(1, 0)));
    let engineio = engineio_sessions.open(None).expect("a place");
    let (source, queue) = (Due::default(), Queue::default());
    source.frames.set(due);
    queue.room.set(room);
    let link = Arc::new(Link::default());
    let keepalive = Keepalive::new(&config, Instant::now());
    let pump = Pump::new(source.clone(), queue.clone(), Arc::clone(&engineio), link, ahead_max, STALL, keepalive);
    let timer = Box::pin(sleep_until(pump.look_at()));
    Scene { due: source, queue, engineio, pump, timer, _sessions: engineio_sessions }
}

impl Scene {
    /// Lets the pump work until it sleeps, and then on until `time` has passed.
    async fn run(&mut self, time: Duration) -> Option<Exit> {
        let work = poll_fn(|cx| self.pump.poll(cx, self.timer.as_mut()));
        tokio::time::timeout(time, work).await.ok()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_full_queue_does_not_take_is_not_committed() {
    let mut scene = scene(10, 4, 1 << 20);
    scene.run(Duration::from_millis(1)).await;
    assert_eq!((scene.due.frames.get(), &scene.due.committed.borrow()[..]), (6, &[4][..]));
    scene.queue.room.set(100);
    scene.run(Duration::from_millis(10)).await;
    assert_eq!((scene.due.frames.get(), &scene.due.committed.borrow()[..]), (0, &[4, 6][..]));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stays_full_is_tried_ever_more_seldom() {
    let mut scene = scene(1, 0, 1 << 20);
    scene.run(Duration::from_secs(1)).await;
    // After 0, 5, 15, 35, 75, 155 ms and then every 100 ms.
    assert_eq!(scene.queue.tries.get(), 14);
    assert_eq!(scene.due.committed.borrow().iter().sum::<usize>(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_tried_again_as_soon_as_the_line_takes_something() {
    let mut scene = scene(3, 2, 1 << 20);
    scene.run(Duration::from_millis(1)).await;
    scene.queue.room.set(1);
    scene.engineio.note_taken(10);
    scene.run(Duration::from_millis(1)).await;
    assert_eq!(scene.due.frames.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_stays_ahead_of_the_line_by_a_bound() {
    let bytes = FRAME.len();
    let mut scene = scene(100, 1_000, 10 * bytes as u64);
    scene.run(Duration::from_secs(1)).await;
    assert_eq!(scene.due.frames.get(), 90);
    scene.engineio.note_taken(4 * bytes);
    scene.run(Duration::from_secs(1)).await;
    assert_eq!(scene.due.frames.get(), 90, "not for less than half of it");
    scene.engineio.note_taken(bytes);
    scene.run(Duration::from_secs(1)).await;
    assert_eq!(scene.due.frames.get(), 85);
}

#[tokio::test(start_paused = true)]
async fn one_frame_may_be_longer_than_the_bound() {
    let mut scene = scene(2, 1_000, 1);
    scene.run(Duration::from_millis(1)).await;
    assert_eq!(scene.due.frames.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_nothing_is_given_up() {
    let mut scene = scene(1, 1_000, 1 << 20);
    assert_eq!(scene.run(STALL - Duration::from_millis(1)).await, None);
    assert_eq!(scene.run(Duration::from_millis(2)).await, Some(Exit::Stalled));
    assert_eq!(scene.due.closed.get(), Some(CloseReason::SlowConsumer));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_little_by_little_is_not() {
    let mut scene = scene(100, 1_000, 1 << 20);
    for _ in 0..10 {
        assert_eq!(scene.run(STALL - Duration::from_millis(1)).await, None);
        scene.engineio.note_taken(1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_nothing_to_take_is_left_alone() {
    let mut scene = scene(1, 1_000, 1 << 20);
    scene.run(Duration::from_secs(1)).await;
    scene.engineio.note_taken(FRAME.len());
    assert_eq!(scene.run(100 * STALL).await, None);
}

#[tokio::test(start_paused = true)]
async fn each_time_the_line_takes_half_the_pump_is_woken_to_go_on() {
    let bytes = FRAME.len();
    let mut scene = scene(100, 1_000, 10 * bytes as u64);
    let (due, engineio) = (scene.due.clone(), Arc::clone(&scene.engineio));
    // As a task of its own: nothing but the session wakes it, and a stall timeout that is far away.
    let local = tokio::task::LocalSet::new();
    let pump = local.spawn_local(async move { scene.run(STALL).await });
    let takes = async {
        for round in 0..=18 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(due.frames.get(), 90 - 5 * round, "after {round} times");
            engineio.note_taken(5 * bytes);
        }
    };
    local.run_until(takes).await;
    assert!(!pump.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_again_is_tried_again_as_soon_as_the_first_time() {
    let mut scene = scene(1, 0, 1 << 20);
    for round in 1..=3 {
        scene.run(Duration::from_secs(1)).await;
        assert_eq!(scene.queue.tries.take(), 14, "time {round}");
        scene.queue.room.set(1);
        scene.run(Duration::from_millis(100)).await;
        assert_eq!((scene.queue.tries.take(), scene.due.frames.replace(1)), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stalls_again_has_as_long_as_the_first_time() {
    let mut scene = scene(1, 1_000, 1 << 20);
    for _ in 0..3 {
        assert_eq!(scene.run(STALL - Duration::from_millis(1)).await, None);
        scene.engineio.note_taken(FRAME.len());
        assert_eq!(scene.run(10 * STALL).await, None);
        scene.due.frames.set(1);
    }
    assert_eq!(scene.run(STALL - Duration::from_millis(1)).await, None);
    assert_eq!(scene.run(Duration::from_millis(2)).await, Some(Exit::Stalled));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_no_sign_of_life_is_gone() {
    let mut scene = scene_with(0, 0, 1 << 20, SocketIoConfig::default());
    assert_eq!(scene.run(Duration::from_secs(20)).await, None);
    scene.engineio.note_heard();
    assert_eq!(scene.run(Duration::from_millis(44_990)).await, None);
    assert_eq!(scene.run(Duration::from_millis(20)).await, Some(Exit::Silent));
    assert_eq!(scene.due.closed.get(), Some(CloseReason::PeerTimeout));
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_nobody_is_gone_or_stalled_before_another_ping() {
    let mut scene = scene_with(1, 1_000, 1 << 20, SocketIoConfig::default());
    assert_eq!(scene.run(Duration::from_secs(20)).await, None);
    advance(Duration::from_secs(3_600)).await;
    assert_eq!(scene.run(Duration::from_secs(29)).await, None);
    scene.engineio.note_taken(FRAME.len());
    assert_eq!(scene.run(Duration::from_secs(15)).await, None);
    scene.engineio.note_heard();
    assert_eq!(scene.run(Duration::from_secs(44)).await, None);
    assert_eq!(scene.run(Duration::from_secs(2)).await, Some(Exit::Silent));
}
