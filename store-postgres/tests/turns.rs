//! What durable actors promise over this store, whichever of its operations fails.

actor_durable::turn_suite!(match crate::place::Schema::new() {
    Some(schema) => schema,
    None => return,
});
