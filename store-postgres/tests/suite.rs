//! What every store promises.

actor_durable::store_suite!(match crate::place::Schema::new() {
    Some(schema) => schema,
    None => return,
});
