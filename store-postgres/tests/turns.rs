//! What durable actors promise over this store, whichever of its operations fails, in each form.

macro_rules! schema {
    () => {
        match crate::place::Schema::new() {
            Some(schema) => schema,
            None => return,
        }
    };
}

actor_durable::turn_suite!(schema!());

mod of_events {
    actor_durable::turn_suite!(schema!(), Events, drawn);
}

mod of_a_wrapped_actor {
    actor_durable::turn_suite!(schema!(), Wrapped, drawn);
}

mod of_a_wrapped_service {
    actor_durable::turn_suite!(schema!(), Service, drawn);
}
