// The frames of the wire protocol v1 as types: what docs/protocol.md says, and nothing that runs.

/** What a program attaches to a message, a member or a signal. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export type Role = 'owner' | 'moderator' | 'member';
export type LeaveReason = 'left' | 'timeout' | 'kicked' | 'banned';

export interface Member {
  readonly member: number;
  readonly nick: string;
  readonly color: number;
  readonly role: Role;
  /** As of when the member was listed, or spoke: that somebody has no connection is not told. */
  readonly online: boolean;
  readonly data?: JsonObject;
}

export interface Reaction {
  readonly name: string;
  readonly count: number;
  /** The first of those people, at most eight. */
  readonly by: readonly number[];
}

/** A message, as every history shows it. */
export interface MessageContent {
  readonly seq: number;
  readonly at: string;
  /** Absent where the host of the room speaks. */
  readonly member?: number;
  readonly host?: true;
  readonly nick: string;
  readonly color?: number;
  readonly text: string;
  readonly data?: JsonObject;
  readonly reply_to?: number;
  readonly key?: string;
  readonly edited?: number;
  readonly redacted?: true;
  readonly reactions?: readonly Reaction[];
}

export interface Settings {
  readonly slow_ms?: number;
  readonly locked?: boolean;
  readonly read_only?: boolean;
  /** Whether newcomers are asked for one. */
  readonly secret?: boolean;
  readonly history?: 'all' | 'none' | number;
  readonly listed?: boolean;
}

/** What `settings` changes; `secret` of null takes it away. */
export type SettingsChange = Omit<Settings, 'secret'> & { readonly secret?: string | null };

export interface ReadPosition {
  readonly through: number;
  readonly unread: number;
  readonly as_of: number;
}

export interface Signal {
  readonly member: number;
  readonly name: string;
  readonly data: Json;
}

export interface Limits {
  readonly frame_bytes: number;
  readonly text_chars: number;
  readonly nick_chars: number;
  readonly rooms: number;
  readonly history: number;
  readonly members: number;
  readonly in_flight: number;
  readonly grace_ms: number;
  readonly typing_ms: number;
  readonly live_ms: number;
  readonly signal_ms: number;
  readonly data_bytes: number;
  readonly edit_window_ms: number;
}

export interface RoomStatus {
  readonly room: string;
  readonly epoch?: string;
  readonly seq?: number;
  readonly status: 'live' | 'gap' | 'left' | 'closed' | 'unknown' | 'waiting' | 'unavailable';
  readonly reason?: LeaveReason;
  readonly until?: string;
  readonly read?: ReadPosition;
}

export interface Welcome {
  readonly type: 'welcome';
  readonly session: string;
  readonly token?: string;
  readonly resumed: boolean;
  readonly rooms: readonly RoomStatus[];
  readonly limits?: Partial<Limits>;
  readonly features?: readonly string[];
  /** The name of the server that an SSE stream is at. */
  readonly at?: string;
}

export interface Joined {
  readonly type: 'joined';
  readonly id?: number;
  readonly room: string;
  readonly epoch: string;
  readonly seq: number;
  readonly entered: number;
  readonly sees?: number;
  readonly you: Member;
  readonly members: readonly Member[];
  readonly members_total: number;
  readonly topic: string;
  readonly notices: Notices;
  readonly settings?: Settings;
  readonly history: readonly MessageContent[];
  readonly more: boolean;
  readonly as_of: number;
  readonly changed_at: number;
  readonly read?: ReadPosition;
}

export type Notices = 'told' | 'counted';

export interface Gap {
  readonly type: 'gap';
  readonly room: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly ended?: boolean;
  readonly members?: readonly Member[];
  readonly members_total?: number;
  readonly topic?: string;
  readonly notices?: Notices;
  readonly settings?: Settings;
  readonly changed_at?: number;
}

export interface Ack {
  readonly type: 'ack';
  readonly id?: number;
  readonly room?: string;
  readonly seq: number;
  readonly at?: string;
}

export interface ErrorFrame {
  readonly type: 'error';
  readonly id?: number;
  readonly room?: string;
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly limit?: number;
  readonly retry_after_ms?: number;
  readonly until?: string;
}

export interface History {
  readonly type: 'history';
  readonly id?: number;
  readonly room: string;
  readonly epoch: string;
  readonly messages: readonly MessageContent[];
  readonly more_before: boolean;
  readonly more_after: boolean;
  readonly as_of: number;
}

export interface Range {
  readonly member: number;
  readonly from: number;
  readonly to: number;
}

export interface Changes {
  readonly type: 'changes';
  readonly id?: number;
  readonly room: string;
  readonly epoch: string;
  readonly messages: readonly (MessageContent | { readonly seq: number; readonly gone: true })[];
  readonly swept?: readonly (Range & { readonly change: number })[];
  readonly through: number;
  readonly more: boolean;
  readonly as_of: number;
}

export interface Members {
  readonly type: 'members';
  readonly id?: number;
  readonly room: string;
  readonly members: readonly Member[];
  readonly members_total: number;
  readonly more: boolean;
}

export interface Ban {
  readonly ban: number;
  readonly member?: number;
  readonly nick?: string;
  readonly by?: number;
  readonly at?: string;
  readonly until?: string;
  readonly network?: boolean;
}

export interface Bans {
  readonly type: 'bans';
  readonly id?: number;
  readonly room: string;
  readonly bans: readonly Ban[];
  readonly more: boolean;
}

export interface Read extends ReadPosition {
  readonly type: 'read';
  readonly id?: number;
  readonly room: string;
}

/** What every event of a room has: it moves the position, whatever its type. */
interface Numbered {
  readonly room: string;
  readonly seq: number;
  readonly at: string;
}

export interface MessageEvent extends Numbered, MessageContent {
  readonly type: 'message';
}
export interface MemberJoined extends Numbered {
  readonly type: 'member_joined';
  readonly member: number;
  readonly nick: string;
  readonly color: number;
  readonly role: Role;
  readonly data?: JsonObject;
}
export interface MemberLeft {
  readonly type: 'member_left';
  readonly room: string;
  /** Absent, as `at` is, where leaves are only counted: then it moves no position. */
  readonly seq?: number;
  readonly at?: string;
  readonly position?: string;
  readonly member: number;
  readonly nick: string;
  readonly reason: LeaveReason;
  readonly by?: number;
  readonly until?: string;
}
export interface MemberChanged extends Numbered {
  readonly type: 'member_changed';
  readonly member: number;
  readonly nick?: string;
  readonly data?: JsonObject | null;
}
export interface Redacted extends Numbered {
  readonly type: 'redacted';
  readonly target?: number;
  readonly by?: number;
}
export interface Edited extends Numbered {
  readonly type: 'edited';
  readonly target?: number;
  readonly by?: number;
  readonly n?: number;
  readonly text?: string;
  readonly data?: JsonObject;
  readonly key?: string;
}
export interface Swept extends Numbered, Partial<Range> {
  readonly type: 'swept';
  readonly by?: number;
}
export interface Reacted extends Numbered {
  readonly type: 'reacted';
  readonly target?: number;
  readonly name?: string;
  readonly by?: number;
  readonly on?: boolean;
  readonly count?: number;
}
export interface TopicChanged extends Numbered {
  readonly type: 'topic_changed';
  readonly topic: string;
  readonly by?: number;
}
export interface SettingsChanged extends Numbered {
  readonly type: 'settings_changed';
  readonly settings: Settings;
  readonly by?: number;
}
export interface RoleChanged extends Numbered {
  readonly type: 'role_changed';
  readonly member: number;
  readonly role: Role;
  readonly by?: number;
}
export interface NoticesChanged extends Numbered {
  readonly type: 'notices_changed';
  readonly notices: Notices;
}

/** The events of a room that this version knows. */
export type RoomEvent = MessageEvent | MemberJoined | MemberLeft | MemberChanged | Redacted | Edited | Swept | Reacted
  | TopicChanged | SettingsChanged | RoleChanged | NoticesChanged;

export interface Typing {
  readonly type: 'typing';
  readonly room: string;
  readonly members: readonly number[];
}
export interface Live {
  readonly type: 'live';
  readonly room: string;
  readonly target: number;
  readonly member?: number;
  readonly text: string | null;
}
export interface Signals {
  readonly type: 'signals';
  readonly room: string;
  readonly signals: readonly Signal[];
}
export interface Presence {
  readonly type: 'presence';
  readonly room: string;
  readonly members: number;
  readonly online: number;
}
export interface RoomClosed {
  readonly type: 'room_closed';
  readonly room: string;
  readonly epoch: string;
  readonly reason: 'host' | 'empty' | 'fault';
}

/** Every frame that changes what is known of a room. */
export type RoomFrame = RoomEvent | Joined | Gap | History | Changes | Members | Read | Typing | Live | Signals
  | Presence | RoomClosed;

export interface Closing {
  readonly type: 'closing';
  readonly code: number;
  readonly reason: string;
  readonly reconnect_after_ms?: number;
}
export interface Resumed extends RoomStatus {
  readonly type: 'resumed';
}

export type ServerFrame = RoomFrame | Welcome | Resumed | Ack | ErrorFrame | Bans | Closing
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'ended'; readonly id?: number }
  | { readonly type: 'auth_expiring' };

/** A command, before it has a number. */
export interface ClientFrame {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The first frame of a connection. */
export interface Hello extends ClientFrame {
  readonly type: 'hello';
  readonly id: 0;
  readonly resume?: string;
  readonly positions?: { readonly [room: string]: string };
  readonly catch_up?: number;
  /** Credentials for the server's policy. */
  readonly token?: string;
}
