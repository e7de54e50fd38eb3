//! Types that are no remote messages.

use actor_cluster::RemoteMessage;

#[derive(RemoteMessage)]
struct Plain {
    value: u8,
}

#[derive(RemoteMessage)]
union Either {
    value: u8,
}

#[derive(RemoteMessage)]
enum Borrowed<'a> {
    Text(&'a str),
    Nested(Vec<Option<&'static str>>),
}

fn main() {}
