//! What the peer says in the control lane.

use actor_core::{ControlRequest, Instant};
use prost::Message;

use super::super::{Event, Phase, Session, codes};
use super::{Judged, token_of};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, CONTROL_BODY_BYTES_MAX, GOSSIP_MEMBERS_MAX, HELD_MAX,
    PUBLICATION_BYTES_MAX, PUBLICATIONS_PER_PEER_MAX, WATCHES_MAX,
};
use crate::transport::{CloseCode, CloseReason};
use crate::wire::TypeTag;
use crate::wire::control::{
    Body, Claim, Control, Link, Member, Publication, Request, SchemaSaid, Unlink, Watch,
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
            Body::Introduce(introduce) => {
                self.events.push_back(Event::Introduced(usable_addresses(introduce.addresses)));
            }
            Body::Publish(publish) => return self.on_publish(publish.entries),
            Body::Unpublish(unpublish) => self.on_unpublish(unpublish.entries),
            Body::Synced(_) => {
                if let Phase::Opening { is_synced, .. } = &mut self.phase {
                    *is_synced = true;
                }
                self.check_ready();
            }
            Body::Members(members) => self.on_members(members.members),
            Body::Watch(Watch { watch, actor, token }) => {
                let token = token.as_deref().map(token_of).transpose()?;
                self.open_watch(watch)?;
                self.events.push_back(Event::Watch { watch, actor, token });
            }
            Body::Link(Link { link, actor, supervisor, token }) => {
                let token = token.as_deref().map(token_of).transpose()?;
                self.open_watch(link)?;
                self.events.push_back(Event::Link { link, actor, supervisor, token });
            }
            Body::Unlink(Unlink { link, has_ended }) => {
                if self.watches.theirs.remove(&link) {
                    self.events.push_back(Event::Unlink { link, has_ended });
                }
            }
            Body::Unlinked(link) => {
                if self.watches.ours.remove(&link) {
                    self.events.push_back(Event::Unlinked { link });
                }
            }
            Body::Claim(Claim { actor, is_unwanted }) => {
                self.events.push_back(Event::Claim { actor, is_unwanted });
            }
            Body::Unwatch(watch) => {
                if self.watches.theirs.remove(&watch) {
                    self.events.push_back(Event::Unwatch { watch });
                }
            }
            Body::Down(down) => {
                if self.watches.ours.remove(&down.watch) {
                    let exit = codes::to_exit(down.exit, down.text);
                    self.events.push_back(Event::Down { watch: down.watch, exit });
                }
            }
            Body::Request(request) => return self.on_request(request),
            Body::Hold(actor) => {
                self.held.insert(actor);
                if self.held.len() > HELD_MAX {
                    return Err("too many actors without room".to_owned());
                }
            }
            Body::Release(actor) => {
                if self.held.remove(&actor) {
                    self.events.push_back(Event::Room);
                }
            }
            Body::Schema(said) => return self.on_schema(&said),
            Body::Died(died) => return self.on_died(died),
            Body::Goodbye(goodbye) => {
                let code = CloseCode::from_u32(goodbye.code).unwrap_or(CloseCode::Lost);
                self.leave(now, CloseReason::new(code, goodbye.detail));
            }
        }
        Ok(())
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

    fn on_members(&mut self, members: Vec<Member>) {
        let members = members.into_iter().take(GOSSIP_MEMBERS_MAX);
        let members = members.map(|member| (member.node, usable_addresses(member.addresses)));
        self.events.push_back(Event::Members(members.collect()));
    }

    fn open_watch(&mut self, watch: u64) -> Judged {
        if self.watches.theirs.len() >= WATCHES_MAX || !self.watches.theirs.insert(watch) {
            return Err("too many watches, or two of the same number".to_owned());
        }
        Ok(())
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

    fn on_schema(&mut self, said: &SchemaSaid) -> Judged {
        let (message, fingerprint) =
            (TypeTag::from_u64(said.message), Fingerprint::from_u64(said.fingerprint));
        self.hear(message, fingerprint, &said.text)
    }
}

/// As many addresses as one control frame takes of one node.
pub(in crate::session) fn usable_addresses(addresses: Vec<String>) -> Vec<String> {
    let is_usable = |address: &String| address.len() <= ADDRESS_BYTES_MAX;
    addresses.into_iter().filter(is_usable).take(ADDRESSES_PER_NODE_MAX).collect()
}
