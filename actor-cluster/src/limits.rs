//! Every bound of this crate, named, with its default and what happens when it
//! is met.

use std::time::Duration;

/// The longest [`Address`](crate::transport::Address), in bytes. A longer one is
/// refused as unusable.
pub const ADDRESS_BYTES_MAX: usize = 1024;

/// The longest detail of a close reason, in bytes. A longer one is cut.
pub const CLOSE_DETAIL_BYTES_MAX: usize = 256;

/// The longest payload of one message or answer outside of a session, in bytes; within one the
/// peer's limit counts.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many derived types may be nested in each other in one payload. A deeper one is
/// not sent, and refused where it comes in.
pub const PAYLOAD_DEPTH_MAX: u32 = 128;

/// The most heap memory that decoding one payload may ask for, in bytes. A payload
/// that asks for more is not sent, and refused where it comes in.
pub const PAYLOAD_HEAP_BYTES_MAX: usize = 8 * PAYLOAD_BYTES_MAX;

/// The longest node or cluster name, in bytes. A longer one is a configuration
/// error here and a protocol violation from a peer.
pub const NODE_NAME_BYTES_MAX: usize = 255;

/// The longest label of a published actor, in bytes. A longer one is an error here
/// and a protocol violation from a peer.
pub const LABEL_BYTES_MAX: usize = 255;

/// The longest message or answer that a node takes unless it is built with another limit, in
/// bytes. A longer one is given back to its sender; from a peer it ends the session.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The smallest limit on messages that two nodes can talk under.
pub const MESSAGE_BYTES_MAX_LEAST: usize = 64 * 1024;

/// The largest limit on messages that a node can be built with.
pub const MESSAGE_BYTES_MAX_MOST: usize = 1024 * 1024 * 1024;

/// The longest body of a frame, in bytes. What is longer goes in parts, between which others get
/// their turn; a longer frame ends the session.
pub const FRAME_BODY_BYTES_MAX: usize = 128 * 1024;

/// How many bytes of a message go in one part; the last has the rest.
pub const PART_BYTES: usize = 64 * 1024;

/// How many messages to one peer may be under way in parts at once, in each lane. Others wait
/// until these are whole; one more from a peer ends the session.
pub const LARGE_OPEN_MAX: usize = 16;

/// How many lanes for data a session can have, beside the one for bulk.
pub const DATA_LANES_MAX: u8 = 8;

/// How many segments of data go before one of bulk, where both wait.
pub const BULK_TURN: u32 = 8;

/// How many segments of urgent messages are written to a stream, while others wait, before it is their turn once.
pub const URGENT_TURNS: u32 = 8;

/// The longest body of a frame that says what a message brings along, in bytes. A longer one ends the
/// session.
pub const ANNOTATION_BYTES_MAX: usize = 1024;

/// The longest `tracestate` that a message brings along, in bytes. A longer one is no
/// [`TraceContext`](crate::TraceContext); from a peer it ends the session.
pub const TRACE_STATE_BYTES_MAX: usize = 512;

/// Of how many calls with keys a node remembers what became of them, for each node that calls, unless it is built
/// with another limit. For more it forgets the oldest; one more that runs finds no room.
pub const CALL_MEMORY_CALLS_MAX: usize = 4096;

/// How many bytes of answers to them it remembers, for each node that calls.
pub const CALL_MEMORY_BYTES_MAX: usize = 1024 * 1024;

/// For how many nodes that call it remembers any. For more it forgets the one that has not asked for longest.
pub const CALL_MEMORY_CALLERS_MAX: usize = 256;

/// How long it remembers them.
pub const CALL_MEMORY_RETENTION: Duration = Duration::from_secs(300);

/// The longest body of a control frame. Longer lists are sent in several.
pub const CONTROL_BODY_BYTES_MAX: usize = 64 * 1024;

/// The longest frame body that is read from a peer before it is authenticated. A
/// longer one ends the connection.
pub const HANDSHAKE_BODY_BYTES_MAX: usize = 4 * 1024;

/// How many bytes of messages a node takes from a peer, in each lane, before they are in their mailboxes, are
/// refused, or wait in a line of an actor without room; a message counts for half of it at most. A sender without credit
/// waits, or is told that there is no room. What the last message before that overdraws, and those whose senders have
/// waited, is less than a window more.
///
/// All that is under way stands in front of a call that comes after it, so a window is no longer than it takes to keep
/// a stream busy: what crosses in a round trip, and a third as much again, since a peer is told of a quarter of a window at once.
pub const WINDOW_BYTES: u64 = 512 * 1024;

/// How many windows of messages may wait for actors without room, of all that a peer sends to.
/// When more is next, everything behind it waits too, in whichever lane of messages.
pub const STALLED_WINDOWS_MAX: u64 = 8;

/// How many of the longest messages may wait so. Those over half a window cost less credit than memory, so their lengths
/// are added up apart, and may come to as much as this many of the longest.
pub const STALLED_LONG_MAX: u64 = 4;

/// For how many of its actors without room a node asks a peer to hold messages. With one more it takes no
/// messages from that peer until one of them has room or ends; the peer's senders then wait
/// for credit, whomever they send to. One more from a peer ends the session.
pub const HELD_MAX: usize = 65_536;

/// The smallest window that two nodes can talk under.
pub const WINDOW_BYTES_LEAST: u64 = 4 * 1024;

/// The largest window a node can be built with.
pub const WINDOW_BYTES_MOST: u64 = 1 << 40;

/// How many bytes of a lane are written before a more urgent lane on the same stream
/// gets its turn; a longer frame is written whole.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// How many bytes of control frames may be kept until a peer has acknowledged them. More end
/// the session.
pub const CONTROL_BACKLOG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many bytes of answers may wait in a lane for a peer that does not read before no more of its messages are taken; the longest
/// answer that it takes may wait beside them.
pub const ANSWER_BACKLOG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many bytes of answers to its calls may be kept until a peer has acknowledged them, beside what is sent to it on credit.
/// Calls that are answered with more fail as [`BadReply`](actor_core::CallFailure::BadReply); a peer that reads
/// not even so many failures that there are [`ANSWER_BACKLOG_BYTES_MAX`] of them ends the session.
pub const ANSWERS_UNREAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many calls to one peer may be unanswered. One more finds no room; from a peer
/// it is answered that there is none, and does not run.
pub const CALLS_MAX: usize = 65_536;

/// How many watches on actors of one peer may be open. One more reports its actor as
/// unreachable; from a peer it ends the session.
pub const WATCHES_MAX: usize = 65_536;

/// How many kinds of messages a session can carry. One more cannot be sent; from a
/// peer it ends the session.
pub const TYPES_MAX: usize = 65_536;

/// The longest schema of a message type, in bytes of its text. Of a longer one only the fingerprint
/// is told, so that builds which differ in it do not talk; from a peer it ends the session.
pub const SCHEMA_BYTES_MAX: usize = 32 * 1024;

/// How deeply forms may be nested in each other in a schema. One that is nested more deeply cannot be
/// read, so that builds which differ in it do not talk.
pub const SCHEMA_DEPTH_MAX: usize = 64;

/// How many message types a node tells a peer the schemas of. Of more it says nothing; more from a
/// peer end the session.
pub const SCHEMAS_MAX: usize = 4096;

/// How many bytes of schemas a node tells a peer. Of further types it tells the fingerprints; more
/// from a peer end the session.
pub const SCHEMAS_BYTES_MAX: usize = 1024 * 1024;

/// How many names and group memberships one peer can publish. One more ends the
/// session.
pub const PUBLICATIONS_PER_PEER_MAX: usize = 65_536;

/// How many other nodes, and addresses of each, a peer can tell of at once. The rest
/// is ignored.
pub const GOSSIP_MEMBERS_MAX: usize = 1024;

/// How many nodes are dialled at once because membership wants sessions with them. Others wait for their turn.
pub const GOSSIP_DIALS_MAX: usize = 64;

/// With how many of these dials under way none begins of a node with which there was no session within [`LOST_KEPT`]: that it is a
/// member is what others say.
pub const HEARSAY_DIALS_MAX: usize = 32;

/// With how many none begins of a node that is not even a member.
pub const TOLD_DIALS_AT_ONCE_MAX: usize = 16;

/// How many addresses of such nodes are dialled in vain before there is a wait for each. Those of nodes that are no
/// members count for twice.
pub const HEARSAY_ADDRESSES_MAX: usize = 256;

/// The wait for each further address.
pub const HEARSAY_ADDRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Of how many nodes it is remembered how often dials of them came to nothing. For more the one that was dialled longest ago is forgotten.
pub const DIAL_FAILURES_KEPT_MAX: usize = 4096;

/// How long that is remembered after the last one.
pub const DIAL_FAILURES_KEPT_FOR: Duration = Duration::from_secs(600);

/// How many other nodes the membership of a node knows of, those who are down among them. Of more it is not told; for a
/// new one, whoever is down for longest is forgotten.
pub const MEMBERS_MAX: usize = 1024;

/// The longest word of membership, in bytes. A longer one from a peer ends the session.
pub const MEMBERSHIP_FRAME_BYTES_MAX: usize = 32 * 1024;

/// How many words of membership are heard of a peer for each [`MEMBERSHIP_TICK`]; each member that a packet tells of, and each record,
/// is one, and a digest is 65. More are not heard.
pub const MEMBERSHIP_WORDS_PER_TICK: usize = 512;

/// How many it may have saved, having said less for a while, or while this node did not listen.
pub const MEMBERSHIP_WORDS_MAX: usize = 16 * MEMBERSHIP_WORDS_PER_TICK;

/// How many packets of SWIM are heard of a peer for each [`MEMBERSHIP_TICK`]: what costs an answer as long as a packet may be. More are
/// not heard.
pub const MEMBERSHIP_PACKETS_PER_TICK: usize = 2;

/// How many it may have saved.
pub const MEMBERSHIP_PACKETS_MAX: usize = 16 * MEMBERSHIP_PACKETS_PER_TICK;

/// While so many things are to be done that membership has asked for, no words of peers are heard.
pub const MEMBERSHIP_EFFECTS_MAX: usize = 16 * 1024;

/// How many of them are done before it is looked whether the time is due for something else.
pub const MEMBERSHIP_EFFECTS_PER_TURN: usize = 256;

/// How many changes of members may wait to be told to others. Of members that are not known yet no more is heard then.
pub const MEMBERSHIP_BACKLOG_MAX: usize = MEMBERS_MAX;

/// How far beyond the term of a member that is known somebody else may say that it is. What is said of a later term is not heard.
pub const MEMBERSHIP_TERM_STEP_MAX: u32 = 64;

/// The longest packet of SWIM in one, in bytes.
pub const MEMBERSHIP_PACKET_BYTES_MAX: usize = 16 * 1024;

/// How many bytes of records of where members are go into a frame, roughly. A peer is told one such frame in a [`MEMBERSHIP_TICK`].
pub const MEMBERSHIP_RECORDS_BYTES: usize = 12 * 1024;

/// How many bytes a member's name and addresses may have together. The addresses behind those that fit are not passed on.
pub const MEMBERSHIP_RECORD_BYTES_MAX: usize = 2 * 1024;

/// Of how many nodes it is kept where they are, those who have gone and those of whom somebody told among them. Members and peers
/// displace others.
pub const RECORDS_MAX: usize = 2 * MEMBERS_MAX;

/// How long it is kept of those who are neither members nor peers.
pub const STRANGERS_KEPT: Duration = Duration::from_secs(300);

/// How often membership looks at the time, while a node has peers.
pub const MEMBERSHIP_TICK: Duration = Duration::from_millis(125);

/// How often neighbours on the ring of members say that they are here.
pub const BEAT_INTERVAL: Duration = Duration::from_millis(250);

/// How many neighbours a member has, half of them on either side.
pub const NEIGHBOURS: usize = 4;

/// Of how many newcomers a peer is told in a [`MEMBERSHIP_TICK`]: their records fit into a frame.
pub const NEWCOMERS_PER_TICK: usize = 8;

/// Of a member that others were told of they are not told again within this time, however often its session begins anew.
pub const NEWCOMER_PAUSE: Duration = Duration::from_secs(30);

/// A node that has sessions with members, up to so many with itself, tells all of them of a newcomer. One that has more does so only as one of the newcomer's
/// [`NEIGHBOURS`], as otherwise what is said while many join at once grows with the third power of their number.
pub const TOLD_BY_ALL_MAX: usize = 32;

/// How many others are asked at a time whether they hear a member that is silent.
pub const HELPERS: usize = 3;

/// How many members a node asks for others at a time whether they are there. Of more it says that it cannot tell.
pub const ERRANDS_MAX: usize = 256;

/// How many of these for one node that asks.
pub const ERRANDS_PER_PEER_MAX: usize = 32;

/// How long a member that its neighbours do not hear has to say that it lives, where whoever suspects it does well
/// itself. Nine times as long at most.
pub const SUSPICION_WINDOW: Duration = Duration::from_millis(500);

/// The same for one that only failed a probe of SWIM's.
pub const SUSPICION_TIMEOUT: Duration = Duration::from_secs(5);

/// How many peers are told at once of a member that is suspected or down. The others hear of it by gossip.
pub const MEMBERSHIP_TOLD_MAX: usize = 128;

/// How long a node that is down is remembered to be, against gossip of before.
pub const DOWN_KEPT: Duration = Duration::from_secs(3600);

/// How long a node that was lost is dialled in case that it comes back, and how long after a session it counts as met.
pub const LOST_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a node that was declared down though it lives waits before it joins again; twice as long each time that it happens
/// soon again.
pub const REJOIN_PAUSE: Duration = Duration::from_millis(250);

/// The longest of these pauses.
pub const REJOIN_PAUSE_MAX: Duration = Duration::from_secs(10);

/// The pause after the first dial of a member, or a seed, that has failed; twice as long each time.
pub const DIAL_PAUSE: Duration = Duration::from_millis(250);

/// The longest of these pauses.
pub const DIAL_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How much later the greater of two members dials that have no session: the lesser one's dial is on its way.
pub const DIAL_STAGGER: Duration = Duration::from_millis(500);

/// How often a node is dialled of which somebody told and which is no member, until the last failure is forgotten
/// ([`DIAL_FAILURES_KEPT_FOR`]).
pub const TOLD_DIALS_MAX: u32 = 3;

/// How long the function that is asked where a seed is may take. Then that attempt has failed.
pub const SEED_RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many seeds a node can be given. With one more it does not start.
pub const SEEDS_MAX: usize = 64;

/// How many pairs of nodes that are too much alike are remembered, so that each is told once. Of more nothing is told.
pub const CLASHES_KEPT_MAX: usize = 1024;

/// How many addresses of one node are kept. The rest is ignored.
pub const ADDRESSES_PER_NODE_MAX: usize = 16;

/// How many events a subscriber may fall behind before it misses some, and is told so.
pub const EVENTS_KEPT: usize = 1024;

/// How many changes a watch on groups keeps that are not taken. Then it misses those that come, and
/// says how many.
pub const GROUP_EVENTS_KEPT: usize = 1024;

/// How long dialling, the handshake and the first exchange may take, each, unless the
/// node is built with another limit.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many kinds of dead casts of a peer's are kept until it is told, by actor, type and reason. Of
/// more only the number is.
pub const DEATHS_KEPT_MAX: usize = 256;

/// How many kinds of dead casts a peer is told of in one control frame. More from a peer end the
/// session.
pub const DEATHS_PER_FRAME: usize = 64;

/// The time between two control frames that tell a peer of dead casts. Those of the same kind that
/// die meanwhile are counted together.
pub const DEATHS_INTERVAL: Duration = Duration::from_millis(100);

/// With more bytes of control frames kept than this, a peer is told of no dead casts, until it has
/// acknowledged some.
pub const DEATHS_BACKLOG_BYTES_MAX: usize = CONTROL_BACKLOG_BYTES_MAX / 4;

/// The pace of pings on what carries a session's streams, see [`heartbeat`](crate::NodeBuilder::heartbeat).
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How often a session looks which callers have gone away, while there are calls: their callees
/// are told so late at most.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// The silence after which a stream counts as lost.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a session lives that has lost its streams and gets no other, unless the node is
/// built with another limit. Then it is over, and what was under way is lost.
pub const RESUME_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nobody is told of a stream that has ended properly while others have not: a
/// goodbye may be on its way on one of them.
pub const GOODBYE_PATIENCE: Duration = Duration::from_millis(500);

/// How many bytes arrive in a lane before its writer is told, who keeps them until then.
pub const ACK_BYTES: u64 = 128 * 1024;

/// No part of a long message is written while parts of its lane are unacknowledged that have as many bytes as a window, or
/// so many if that is more: what is under way delays every lane of the stream.
pub const PARTS_AHEAD_LEAST: u64 = 4 * ACK_BYTES;

/// How many bytes about a stream itself, answers to pings and the like, may wait for a peer
/// that does not read. More end the session.
pub const URGENT_BACKLOG_BYTES_MAX: usize = 64 * 1024;

/// How long a session that has ended may take to write its goodbye and see the peer's.
pub const LINGER: Duration = Duration::from_secs(2);

/// How long [`shutdown`](crate::NodeServer::shutdown) gives the sessions to say goodbye; then it
/// drops them. More than [`LINGER`], which each of them takes at most.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// How many connections from others may be in their first handshake at once. One more
/// is closed.
pub const HANDSHAKES_MAX: usize = 256;

/// The shortest shared secret, in bytes. A shorter one is a configuration error. It is no measure of how random it is: 32 random
/// bytes are right.
pub const SECRET_BYTES_LEAST: usize = 16;

/// How many shared secrets a node takes for good at once: the current one, and others while it is replaced.
pub const SECRETS_MAX: usize = 4;

/// In so much time one denial of each operation is told of a peer, by [`NodeEvent::Forbidden`](crate::NodeEvent::Forbidden), which says
/// how many there were. All are counted.
pub const FORBIDDEN_INTERVAL: Duration = Duration::from_secs(1);

/// How many peers a node can have sessions with. One more is refused.
pub const PEERS_MAX: usize = 1024;

/// How many actors a node can publish, names and group memberships together.
pub const PUBLICATIONS_MAX: usize = PUBLICATIONS_PER_PEER_MAX;

/// How many actors a node can have given to other nodes by their addresses, in messages or
/// because it was asked to start them. They count until they end. A message with one more is given
/// back to its sender.
pub const EXPORTS_MAX: usize = 262_144;

/// How many actors one peer may have asked to be started and not claimed yet. One more is
/// refused.
pub const NEWBORNS_MAX: usize = 1024;

/// How many bytes the publications of a node may take on the wire, about 32 for each, or 52 for a
/// name that is not [`Allow`](crate::Conflict::Allow), and its label and scope: a new session is told
/// of all of them at once. One more is an error; from a peer it ends the session.
pub const PUBLICATION_BYTES_MAX: usize = CONTROL_BACKLOG_BYTES_MAX / 4 * 3;

/// The shortest `Bytes` of a message that shares the memory it was read into, which may be [`READ_BYTES`]. A shorter one is
/// copied, so that whoever keeps it keeps little else.
pub const SHARED_BYTES_LEAST: usize = 16 * 1024;

/// How many bytes each of the two buffers holds into which a stream is read that has much to read.
pub const READ_BYTES: usize = 256 * 1024;

/// The same of one that has not.
pub const READ_BYTES_QUIET: usize = 64 * 1024;

/// The same of one on which there are hardly more than heartbeats; all of a session have one such buffer together.
pub const READ_BYTES_IDLE: usize = 1024;

/// How often in a row less than [`READ_BYTES_LEAST`] is read from a stream before its buffer is that of a
/// quiet one.
pub const QUIET_READS: usize = 64;

/// How long nothing but heartbeats is read from a stream before it gives up what memory it has to be read into.
pub const READ_REST: Duration = Duration::from_secs(5);

/// After how many bytes from a stream the actors that they are for have their turn: what their
/// messages own is used again while it is in the processor's cache.
pub const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// How much of a read buffer must be free for it to be read into again: what one record of TLS
/// holds.
pub const READ_BYTES_LEAST: usize = 16 * 1024;

/// How many frames are taken from a stream before the actors that they are for have their turn,
/// while no calls are under way. Few, so that what their messages own is given back while it is still in the
/// processor's cache, and before an allocator has put it away.
pub const FRAMES_PER_TURN: usize = 32;

/// The same while calls are under way: an eighth of them, and this at least. All at once, both
/// nodes would wait for each other in turn; one by one, each would cost a write of its own.
pub const CALLS_PER_TURN_LEAST: usize = 8;

/// The same, at most.
pub const CALLS_PER_TURN_MOST: usize = 64;

/// A message, an answer or the arguments of a spawn of so many bytes is read on a thread for blocking work. What else is for a message's
/// actor waits meanwhile. Copying a `Vec` of a gibibyte takes most of a second.
pub const READ_ASIDE_BYTES_LEAST: usize = 1024 * 1024;

/// How often a stream is read before the others, and other tasks, get their turn.
pub const READS_PER_TURN: usize = 8;

/// How many pieces go to a stream in one write.
pub const PIECES_PER_WRITE: usize = 16;

/// How often a stream is written to, about [`SEGMENT_BYTES`] at a time, before it is read, and
/// others get their turn.
pub const WRITES_PER_TURN: usize = 16;

/// How many messages of one session are delivered before its streams, and other tasks,
/// get their turn; see [`FRAMES_PER_TURN`].
pub const DELIVERIES_PER_TURN: usize = 64;

/// How many streams one session can have. One more is taken and closed at once; the
/// session goes on with those it has.
pub const STREAMS_PER_SESSION_MAX: usize = 16;

/// How long a dialler waits before it tries again because another stream to the same
/// node was faster, or because a session has lost its streams; twice as long each time, until
/// its time is over.
pub const REDIAL_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause between two attempts to find a session new streams.
pub const REDIAL_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long an address of a peer is tried before the next has its turn beside it.
pub const WAY_DELAY: Duration = Duration::from_millis(250);

/// How often a session whose streams did not come by the [best](crate::Preference) of the peer's addresses tries those that
/// are better.
pub const BETTER_WAY_INTERVAL: Duration = Duration::from_secs(30);

/// The least age that connections must be [allowed](crate::NodeBuilder::connection_age_max).
pub const CONNECTION_AGE_LEAST: Duration = Duration::from_secs(1);

/// How many sessions of a node are given other streams at once because theirs are old; and how many because theirs are not the
/// best.
pub const RENEWALS_MAX: usize = 16;
