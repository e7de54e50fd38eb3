//! What the peer says in the control lane.

use actor_core::{ControlRequest, Instant};
use prost::Message;

use super::super::{Event, Phase, Session, codes};
use super::{Judged, token_of};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, CONTROL_BODY_BYTES_MAX, GOSSIP_MEMBERS_MAX, HELD_MAX,
    MEMBERSHIP_FRAME_BYTES_MAX, PUBLICATION_BYTES_MAX, PUBLICATIONS_PER_PEER_MAX, WATCHES_MAX,
};
use crate::transport::{CloseCode, CloseReason};
use crate::wire::TypeTag;
use crate::wire::control::{
    Body, Claim, Control, Down, Goodbye, Link, Member, Publication, Request, SchemaSaid, Unlink, Watch,
};
use crate::wire::schema::Fingerprint;

impl Session {
    pub(super) fn on_control(&mut self, now: Instant, body: &[u8]) -> Judged {
        if body.len() > CONTROL_BODY_BYTES_MAX {
            return Err("a control frame over the limit".to_owned());
        }
        let control = Control::decode(body).map_err(|error| format!("a control frame: {error}"))?;
        // Something that a later version says and this one does not know.
        let Some(body) = control.body else { return Ok(()) };
        match body {
            Body::Introduce(introduce) => self.on_introduce(introduce.addresses),
            Body::Publish(publish) => self.on_publish(publish.entries)?,
            Body::Unpublish(unpublish) => self.on_unpublish(unpublish.entries),
            Body::Synced(_) => self.on_synced(),
            Body::Members(members) => self.on_members(members.members),
            Body::Watch(watch) => self.on_watch(watch)?,
            Body::Unwatch(watch) => self.on_unwatch(watch),
            Body::Link(link) => self.on_link(link)?,
            Body::Unlink(unlink) => self.on_unlink(unlink),
            Body::Unlinked(link) => self.on_unlinked(link),
            Body::Down(down) => self.on_down(down),
            Body::Request(request) => self.on_request(request)?,
            Body::Claim(claim) => self.on_claim(claim),
            Body::Hold(actor) => self.on_hold(actor)?,
            Body::Release(actor) => self.on_release(actor),
            Body::Schema(said) => self.on_schema(&said)?,
            Body::Died(died) => self.on_died(died)?,
            Body::Membership(word) => self.on_membership(word)?,
            Body::Goodbye(goodbye) => self.on_goodbye(now, goodbye),
        }
        Ok(())
    }

    fn on_membership(&mut self, word: Vec<u8>) -> Judged {
        if !self.speaks_membership() {
            return Err("a word of membership in a session without it".to_owned());
        }
        if word.len() > MEMBERSHIP_FRAME_BYTES_MAX {
            return Err("a word of membership over the limit".to_owned());
        }
        self.events.push_back(Event::Membership(word));
        Ok(())
    }

    fn on_introduce(&mut self, addresses: Vec<String>) {
        self.events.push_back(Event::Introduced(usable_addresses(addresses)));
    }

    fn on_publish(&mut self, mut entries: Vec<Publication>) -> Judged {
        if !entries.iter().all(Publication::is_usable) {
            return Err("an unusable publication".to_owned());
        }
        entries.retain(|entry| self.publications.insert(entry.clone()));
        self.publication_bytes += entries.iter().map(Publication::bytes).sum::<usize>();
        let is_too_much = self.publication_bytes > PUBLICATION_BYTES_MAX;
        if is_too_much || self.publications.len() > PUBLICATIONS_PER_PEER_MAX {
            return Err("too many published actors".to_owned());
        }
        if !entries.is_empty() {
            self.events.push_back(Event::Published(entries));
        }
        Ok(())
    }

    /// Only what was published can be taken back: it makes room for as much.
    fn on_unpublish(&mut self, mut entries: Vec<Publication>) {
        entries.retain(|entry| self.publications.remove(entry));
        self.publication_bytes -= entries.iter().map(Publication::bytes).sum::<usize>();
        if !entries.is_empty() {
            self.events.push_back(Event::Unpublished(entries));
        }
    }

    fn on_synced(&mut self) {
        if let Phase::Opening { is_synced, .. } = &mut self.phase {
            *is_synced = true;
        }
        self.check_ready();
    }

    fn on_members(&mut self, members: Vec<Member>) {
        let members = members.into_iter().take(GOSSIP_MEMBERS_MAX);
        let members = members.map(|member| (member.node, usable_addresses(member.addresses)));
        self.events.push_back(Event::Members(members.collect()));
    }

    fn on_watch(&mut self, Watch { watch, actor, token }: Watch) -> Judged {
        let token = token.as_deref().map(token_of).transpose()?;
        self.open_watch(watch)?;
        self.events.push_back(Event::Watch { watch, actor, token });
        Ok(())
    }

    fn on_link(&mut self, Link { link, actor, supervisor, token }: Link) -> Judged {
        let token = token.as_deref().map(token_of).transpose()?;
        self.open_watch(link)?;
        self.events.push_back(Event::Link { link, actor, supervisor, token });
        Ok(())
    }

    /// Links are numbered among the watches.
    fn open_watch(&mut self, watch: u64) -> Judged {
        if self.watches.theirs.len() >= WATCHES_MAX || !self.watches.theirs.insert(watch) {
            return Err("too many watches, or two of the same number".to_owned());
        }
        Ok(())
    }

    fn on_unwatch(&mut self, watch: u64) {
        if self.watches.theirs.remove(&watch) {
            self.events.push_back(Event::Unwatch { watch });
        }
    }

    fn on_unlink(&mut self, Unlink { link, has_ended }: Unlink) {
        if self.watches.theirs.remove(&link) {
            self.events.push_back(Event::Unlink { link, has_ended });
        }
    }

    fn on_unlinked(&mut self, link: u64) {
        if self.watches.ours.remove(&link) {
            self.events.push_back(Event::Unlinked { link });
        }
    }

    fn on_down(&mut self, Down { watch, exit, text }: Down) {
        if self.watches.ours.remove(&watch) {
            let exit = codes::to_exit(exit, text);
            self.events.push_back(Event::Down { watch, exit });
        }
    }

    fn on_request(&mut self, request: Request) -> Judged {
        let Request { actor, request, reason, token } = request;
        let token = token.as_deref().map(token_of).transpose()?;
        let request = match request {
            0 => ControlRequest::Stop(reason.map(Into::into)),
            1 => ControlRequest::Drain,
            2 => ControlRequest::Kill,
            _ => return Err("an unknown request to an actor".to_owned()),
        };
        self.events.push_back(Event::Request { actor, request, token });
        Ok(())
    }

    fn on_claim(&mut self, Claim { actor, is_unwanted }: Claim) {
        self.events.push_back(Event::Claim { actor, is_unwanted });
    }

    fn on_hold(&mut self, actor: u64) -> Judged {
        self.held.insert(actor);
        if self.held.len() > HELD_MAX {
            return Err("too many actors without room".to_owned());
        }
        Ok(())
    }

    fn on_release(&mut self, actor: u64) {
        if self.held.remove(&actor) {
            self.events.push_back(Event::Room);
        }
    }

    fn on_schema(&mut self, said: &SchemaSaid) -> Judged {
        let (message, fingerprint) =
            (TypeTag::from_u64(said.message), Fingerprint::from_u64(said.fingerprint));
        self.hear(message, fingerprint, &said.text)
    }

    fn on_goodbye(&mut self, now: Instant, goodbye: Goodbye) {
        let code = CloseCode::from_u32(goodbye.code).unwrap_or(CloseCode::Lost);
        self.leave(now, CloseReason::new(code, goodbye.detail));
    }
}

/// As many addresses as one control frame takes of one node.
pub(in crate::session) fn usable_addresses(addresses: Vec<String>) -> Vec<String> {
    let is_usable = |address: &String| address.len() <= ADDRESS_BYTES_MAX;
    addresses.into_iter().filter(is_usable).take(ADDRESSES_PER_NODE_MAX).collect()
}
