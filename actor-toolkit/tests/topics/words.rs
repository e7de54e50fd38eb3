//! Which subscription gets which message, and what does not parse.

use actor_toolkit::topics::limits::{TOPIC_BYTES_MAX, TOPIC_WORDS_MAX};
use actor_toolkit::topics::{Pattern, SubscribeError, Topic, TopicError, Topics};

use crate::support::{Note, heard, listener, simulated};

#[test]
fn c18_subscribers_get_what_is_for_them_alone() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let patterns = ["orders.eu.created", "orders.*.created", "orders.#", "#.created", "bills.#", "#"];
        let mut actors = Vec::new();
        for pattern in patterns {
            let actor = listener(&system).await;
            topics.subscribe(pattern, &actor).unwrap();
            actors.push(actor);
        }
        let published = [
            ("orders.eu.created", 5),
            ("orders.us.created", 4),
            ("orders", 2),
            ("orders.eu.berlin.created", 3),
            ("bills.eu", 2),
            ("created", 2),
            ("Orders.eu.created", 2),
        ];
        for (number, (topic, subscriptions)) in published.into_iter().enumerate() {
            let receipt = topics.publish(topic, Note(number.try_into().unwrap())).unwrap();
            assert_eq!(
                (receipt.subscriptions(), receipt.delivered()),
                (subscriptions, subscriptions),
                "{topic}"
            );
        }
        let expected: [&[u32]; 6] =
            [&[0], &[0, 1], &[0, 1, 2, 3], &[0, 1, 3, 5, 6], &[4], &[0, 1, 2, 3, 4, 5, 6]];
        for (actor, expected) in actors.iter().zip(expected) {
            assert_eq!(heard(actor).await, expected);
        }
    });
}

#[test]
fn c18_an_actor_may_subscribe_twice_and_nobody_need_subscribe() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        assert_eq!(topics.publish("a", Note(0)).unwrap().subscriptions(), 0);
        let actor = listener(&system).await;
        let first = topics.subscribe("a", &actor).unwrap();
        let second = topics.clone().subscribe("a", &actor).unwrap();
        drop(topics.publish_to(&"a".parse().unwrap(), Note(1)));
        first.cancel();
        drop(topics.publish("a", Note(2)).unwrap());
        assert_eq!(heard(&actor).await, [1, 1, 2]);
        assert_eq!((first.delivered(), second.delivered()), (1, 2));
        assert_eq!((second.pattern().as_str(), second.actor_id()), ("a", actor.id()));
    });
}

#[test]
fn c18_what_does_not_parse_is_an_error_at_the_call() {
    let long = "a".repeat(TOPIC_BYTES_MAX + 1);
    let many = vec!["a"; TOPIC_WORDS_MAX + 1].join(".");
    let wrong = [
        ("", TopicError::EmptyWord),
        (".", TopicError::EmptyWord),
        ("a..b", TopicError::EmptyWord),
        ("a.", TopicError::EmptyWord),
        ("a\n.b", TopicError::ControlCharacter),
        (&long, TopicError::TooLong(TOPIC_BYTES_MAX + 1)),
        (&many, TopicError::TooManyWords(TOPIC_WORDS_MAX + 1)),
    ];
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let actor = listener(&system).await;
        for (text, error) in wrong {
            assert_eq!(topics.subscribe(text, &actor).unwrap_err(), SubscribeError::Pattern(error));
            let refused = topics.publish(text, Note(7)).unwrap_err();
            assert_eq!((refused.error, refused.message), (error, Note(7)));
        }
        for text in ["a.**", "a.b*", "##", "#a.b"] {
            assert_eq!(topics.subscribe(text, &actor).unwrap_err(), TopicError::PartOfWord.into());
        }
        for text in ["a.*", "#", "a.b*"] {
            assert_eq!(topics.publish(text, Note(7)).unwrap_err().error, TopicError::WildcardInTopic);
        }
        assert_eq!(topics.subscriptions(), 0);
        assert_eq!(heard(&actor).await, []);
    });
    // As long as may be.
    assert!("a".repeat(TOPIC_BYTES_MAX).parse::<Topic>().is_ok());
    assert!(vec!["#"; TOPIC_WORDS_MAX].join(".").parse::<Pattern>().is_ok());
    // And they say what to do.
    assert!(TopicError::PartOfWord.to_string().contains("`#` any number"));
}
