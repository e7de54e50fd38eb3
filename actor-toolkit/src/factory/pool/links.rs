//! Lists of workers that a worker is put into and taken out of in one step: all lists of a
//! kind share one pair of neighbours for each worker, so a worker is in one of them at most.

/// No worker.
const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    before: u32,
    after: u32,
    list: u32,
}

const ALONE: Node = Node { before: NOBODY, after: NOBODY, list: NOBODY };

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Links {
    nodes: Vec<Node>,
    lists: Vec<Ends>,
}

impl Links {
    /// The list that a worker is in.
    pub(super) fn list_of(&self, worker: u32) -> Option<u32> {
        let list = self.nodes.get(worker as usize)?.list;
        (list != NOBODY).then_some(list)
    }

    pub(super) fn first(&self, list: u32) -> Option<u32> {
        let first = self.lists.get(list as usize)?.first;
        (first != NOBODY).then_some(first)
    }

    /// Puts a worker at the end of a list, and takes it out of the one it was in.
    pub(super) fn put(&mut self, worker: u32, list: u32) {
        self.take(worker);
        if self.nodes.len() <= worker as usize {
            self.nodes.resize(worker as usize + 1, ALONE);
        }
        if self.lists.len() <= list as usize {
            self.lists.resize(list as usize + 1, Ends { first: NOBODY, last: NOBODY });
        }
        let last = std::mem::replace(&mut self.lists[list as usize].last, worker);
        self.nodes[worker as usize] = Node { before: last, after: NOBODY, list };
        match self.nodes.get_mut(last as usize) {
            Some(last) => last.after = worker,
            None => self.lists[list as usize].first = worker,
        }
    }

    /// Takes a worker out of its list, if it is in one.
    pub(super) fn take(&mut self, worker: u32) {
        let Some(node) = self.nodes.get_mut(worker as usize) else { return };
        let Node { before, after, list } = std::mem::replace(node, ALONE);
        if list == NOBODY {
            return;
        }
        let ends = &mut self.lists[list as usize];
        match self.nodes.get_mut(before as usize) {
            Some(before) => before.after = after,
            None => ends.first = after,
        }
        match self.nodes.get_mut(after as usize) {
            Some(after) => after.before = before,
            None => ends.last = before,
        }
    }
}

/// The workers by how much they have to do.
#[derive(Debug, Default)]
pub(super) struct Loads {
    links: Links,
    /// No list below this one holds anybody.
    least: u32,
    members: usize,
    /// How many lists were looked at.
    #[cfg(test)]
    pub(super) looks: u64,
}

impl Loads {
    /// A worker has so much to do now.
    pub(super) fn set(&mut self, worker: u32, load: usize) {
        let load = u32::try_from(load).unwrap_or(NOBODY - 1).min(LOAD_MAX);
        let former = self.links.list_of(worker);
        if former == Some(load) {
            return;
        }
        self.members += usize::from(former.is_none());
        self.links.put(worker, load);
        self.least = self.least.min(load);
    }

    /// A worker is to be given nothing.
    pub(super) fn remove(&mut self, worker: u32) {
        self.members -= usize::from(self.links.list_of(worker).is_some());
        self.links.take(worker);
    }

    /// Who has least to do; of several, whoever has had so little for longest.
    pub(super) fn least(&mut self) -> Option<u32> {
        if self.members == 0 {
            self.least = 0;
            return None;
        }
        // A load changes by one, so this goes on where it was: each step up is paid for by
        // a job that was given.
        while self.least < LOAD_MAX && self.links.first(self.least).is_none() {
            self.least += 1;
            #[cfg(test)]
            {
                self.looks += 1;
            }
        }
        self.links.first(self.least)
    }
}

/// Who has more to do than this has so much.
const LOAD_MAX: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_taken_out_leaves_its_neighbours_together() {
        let mut links = Links::default();
        for worker in 0..4 {
            links.put(worker, 1);
        }
        let walk = |links: &mut Links| {
            let mut order = Vec::new();
            while let Some(first) = links.first(1) {
                links.take(first);
                order.push(first);
            }
            order
        };
        links.take(2);
        links.take(2);
        links.put(0, 1);
        assert_eq!((links.list_of(2), links.list_of(0)), (None, Some(1)));
        assert_eq!(walk(&mut links), [1, 3, 0]);
        assert_eq!(links.first(1), None);
    }

    #[test]
    fn the_least_loaded_is_found_wherever_it_went() {
        let mut loads = Loads::default();
        assert_eq!(loads.least(), None);
        for worker in 0..3 {
            loads.set(worker, 0);
        }
        loads.set(0, 1);
        loads.set(1, 1);
        assert_eq!(loads.least(), Some(2));
        loads.set(2, 1);
        assert_eq!(loads.least(), Some(0));
        loads.set(0, 2);
        loads.set(1, 0);
        assert_eq!(loads.least(), Some(1));
        loads.remove(1);
        loads.remove(1);
        assert_eq!(loads.least(), Some(2));
        loads.set(2, usize::MAX);
        assert_eq!(loads.least(), Some(0));
    }
}
