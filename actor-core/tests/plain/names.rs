//! Who sees what is generated. The crate's lints are errors in here: a private type in
//! a message, or a struct more visible than its methods, is no reason to complain.
#![deny(warnings, private_interfaces, private_bounds, dead_code)]
#![allow(unreachable_pub, reason = "a public method of a private struct is one of the cases")]

use actor_core::actor;

mod inner {
    use super::actor;

    /// Less visible than the method that names it.
    struct Secret(u8);

    /// A private struct with public methods.
    struct Hidden;

    #[actor]
    impl Hidden {
        pub fn tell(&self, secret: Secret) -> Secret {
            secret
        }
    }

    /// A public struct with private methods.
    #[derive(Default)]
    pub(crate) struct Shy(u8);

    #[actor]
    impl Shy {
        fn get(&self) -> u8 {
            self.0
        }
    }

    /// Methods of all kinds.
    #[derive(Default)]
    pub(crate) struct Mixed(u8);

    #[actor]
    impl Mixed {
        pub(crate) fn open(&self) -> u8 {
            self.0
        }

        fn closed(&self, secret: Secret) -> Secret {
            Secret(self.0 + secret.0)
        }
    }

    /// One that says so itself.
    #[derive(Default)]
    pub(crate) struct Loud(u8);

    #[actor(pub(crate))]
    impl Loud {
        fn get(&self) -> u8 {
            self.0
        }
    }

    pub(crate) async fn use_all() -> [u8; 5] {
        let hidden = Hidden.spawn().await.unwrap();
        let mixed = Mixed(3).spawn().await.unwrap();
        [
            hidden.tell(Secret(1)).await.unwrap().0,
            Shy(2).spawn().await.unwrap().get().await.unwrap(),
            mixed.open().await.unwrap(),
            mixed.closed(Secret(1)).await.unwrap().0,
            Loud(5).spawn().await.unwrap().get().await.unwrap(),
        ]
    }
}

#[tokio::test]
async fn what_is_generated_is_as_visible_as_the_methods() {
    assert_eq!(inner::use_all().await, [1, 2, 3, 4, 5]);
    let mixed: inner::MixedRef = inner::Mixed::default().spawn().await.unwrap();
    assert_eq!(mixed.open().await.unwrap(), 0);
    let loud: inner::LoudRef = inner::Loud::default().spawn().await.unwrap();
    loud.stop(None);
    let _: inner::Shy = inner::Shy::default();
}
