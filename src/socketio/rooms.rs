//! Who is in which room.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::engineio::Str;

/// Who of a namespace's sockets is in which room.
///
/// `S` is whatever the driver knows a socket by. Each socket is in a room of its own id, which it can not leave: that is
/// how one socket is reached by the means that reach many. A room is there while somebody is in it; what is left behind
/// costs nothing.
///
/// One of these may hold all sockets of a namespace, or one shard of them: a broadcast then asks each shard.
///
/// ```
/// use sansocket::socketio::{Rooms, Selection};
///
/// let mut rooms = Rooms::new();
/// for (socket, id) in [(1, "a"), (2, "b"), (3, "c")] {
///     rooms.insert(socket, id);
///     rooms.join(socket, "news");
/// }
/// rooms.join(3, "muted");
/// let all_but_muted = Selection::all().to("news").except("muted");
/// assert_eq!(rooms.select(&all_but_muted).collect::<Vec<_>>(), [1, 2]);
/// assert_eq!(rooms.select(&Selection::all().to("b")).collect::<Vec<_>>(), [2]);
/// ```
#[derive(Clone, Debug)]
pub struct Rooms<S> {
    sockets: BTreeMap<S, Membership>,
    /// Each socket's own room has one member, or none that is not the socket: it needs no set.
    ids: BTreeMap<Str, S>,
    rooms: BTreeMap<Str, BTreeSet<S>>,
}

#[derive(Clone, Debug)]
struct Membership {
    id: Str,
    /// In the order of joining. Few sockets are in many rooms.
    rooms: Vec<Str>,
}

impl<S> Default for Rooms<S> {
    fn default() -> Self {
        Self {
            sockets: BTreeMap::new(),
            ids: BTreeMap::new(),
            rooms: BTreeMap::new(),
        }
    }
}

impl<S: Copy + Ord> Rooms<S> {
    /// Nobody anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// A socket came, and is in the room of its own id. One that is known already, or whose id is, changes nothing; says
    /// whether it is new.
    pub fn insert(&mut self, socket: S, id: &str) -> bool {
        if self.sockets.contains_key(&socket) || self.ids.contains_key(id) {
            return false;
        }
        let id = Str::from(id);
        self.ids.insert(id.clone(), socket);
        let rooms = Vec::new();
        self.sockets.insert(socket, Membership { id, rooms });
        true
    }

    /// A socket is gone, from all its rooms. Says whether it was known.
    pub fn remove(&mut self, socket: S) -> bool {
        let Some(membership) = self.sockets.remove(&socket) else {
            return false;
        };
        self.ids.remove(&membership.id);
        for room in &membership.rooms {
            self.take_out(socket, room);
        }
        true
    }

    /// A socket enters a room. Says whether it was not in it.
    pub fn join(&mut self, socket: S, room: &str) -> bool {
        let Some(membership) = self.sockets.get_mut(&socket) else {
            return false;
        };
        if &membership.id[..] == room {
            return false;
        }
        // The name is kept once, however many are in the room.
        let name = match self.rooms.get_key_value(room) {
            Some((_, members)) if members.contains(&socket) => return false,
            Some((name, _)) => name.clone(),
            None => Str::from(room),
        };
        membership.rooms.push(name.clone());
        self.rooms.entry(name).or_default().insert(socket)
    }

    /// A socket leaves a room; not that of its own id. Says whether it was in it.
    pub fn leave(&mut self, socket: S, room: &str) -> bool {
        let Some(membership) = self.sockets.get_mut(&socket) else {
            return false;
        };
        let Some(place) = membership.rooms.iter().position(|joined| &joined[..] == room) else {
            return false;
        };
        membership.rooms.remove(place);
        if membership.rooms.is_empty() {
            membership.rooms = Vec::new();
        }
        self.take_out(socket, room);
        true
    }

    /// Everybody leaves a room, but for a socket whose own it is. Says how many did.
    pub fn close(&mut self, room: &str) -> usize {
        let Some(members) = self.rooms.remove(room) else {
            return 0;
        };
        for socket in &members {
            if let Some(membership) = self.sockets.get_mut(socket) {
                membership.rooms.retain(|joined| &joined[..] != room);
                membership.rooms.shrink_to_fit();
            }
        }
        members.len()
    }

    fn take_out(&mut self, socket: S, room: &str) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(&socket);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// The rooms of a socket: its own first, then in the order of joining.
    pub fn rooms_of(&self, socket: S) -> impl Iterator<Item = &Str> {
        let membership = self.sockets.get(&socket);
        membership
            .into_iter()
            .flat_map(|membership| core::iter::once(&membership.id).chain(&membership.rooms))
    }

    /// Whether a socket is in a room.
    pub fn is_in(&self, socket: S, room: &str) -> bool {
        self.room(room).contains(socket)
    }

    /// The socket that has this id.
    pub fn socket(&self, id: &str) -> Option<S> {
        self.ids.get(id).copied()
    }

    /// A socket's id.
    pub fn id_of(&self, socket: S) -> Option<&Str> {
        self.sockets.get(&socket).map(|membership| &membership.id)
    }

    /// How many sockets there are.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// How many rooms there are, each socket's own included. Looks at all of them.
    pub fn room_count(&self) -> usize {
        self.room_names().count()
    }

    /// All rooms, each socket's own included.
    pub fn room_names(&self) -> impl Iterator<Item = &Str> {
        let shared = self.rooms.keys().filter(|room| !self.ids.contains_key(*room));
        self.ids.keys().chain(shared)
    }

    /// Everybody whom a selection means, each once, in no order that means anything.
    pub fn select<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = S> + 'a {
        let within: SmallVec<[Room<'a, S>; 2]> = selection.rooms.iter().map(|room| self.room(room)).collect();
        let except: SmallVec<[Room<'a, S>; 2]> = selection.except.iter().map(|room| self.room(room)).collect();
        let everybody = selection.rooms.is_empty().then(|| self.sockets.keys().copied());
        let rooms = within.clone().into_iter().enumerate();
        let members = rooms.flat_map(move |(index, room)| {
            let earlier: SmallVec<[Room<'a, S>; 2]> = within[..index].into();
            room.members()
                .filter(move |&socket| !earlier.iter().any(|room| room.contains(socket)))
        });
        everybody
            .into_iter()
            .flatten()
            .chain(members)
            .filter(move |&socket| !except.iter().any(|room| room.contains(socket)))
    }

    fn room(&self, name: &str) -> Room<'_, S> {
        Room {
            own: self.ids.get(name).copied(),
            members: self.rooms.get(name),
        }
    }
}

/// A room, looked up.
#[derive(Clone, Copy)]
struct Room<'a, S> {
    /// The socket whose own it is.
    own: Option<S>,
    members: Option<&'a BTreeSet<S>>,
}

impl<'a, S: Copy + Ord> Room<'a, S> {
    fn contains(&self, socket: S) -> bool {
        self.own == Some(socket) || self.members.is_some_and(|members| members.contains(&socket))
    }

    fn members(self) -> impl Iterator<Item = S> + 'a
    where
        S: 'a,
    {
        self.own.into_iter().chain(self.members.into_iter().flatten().copied())
    }
}

/// Whom a broadcast is for: everybody, or whoever is in one of some rooms; but for those in others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    rooms: SmallVec<[Str; 1]>,
    except: SmallVec<[Str; 1]>,
}

impl Selection {
    /// Everybody, as long as no room is named.
    pub fn all() -> Self {
        Self::default()
    }

    /// And whoever is in this room.
    #[must_use]
    pub fn to(mut self, room: impl Into<Str>) -> Self {
        self.rooms.push(room.into());
        self
    }

    /// But nobody who is in this room.
    #[must_use]
    pub fn except(mut self, room: impl Into<Str>) -> Self {
        self.except.push(room.into());
        self
    }

    /// Whether it means somebody who is in these rooms.
    pub fn includes<'a>(&self, rooms: impl IntoIterator<Item = &'a Str>) -> bool {
        let mut included = self.rooms.is_empty();
        for room in rooms {
            if self.except.contains(room) {
                return false;
            }
            included |= self.rooms.contains(room);
        }
        included
    }

    /// How many bytes it holds.
    pub(super) fn cost(&self) -> usize {
        self.rooms
            .iter()
            .chain(&self.except)
            .map(|room| room.len() + size_of::<Str>())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::string::ToString as _;
    use alloc::vec;

    use super::*;

    fn names<'a>(names: impl Iterator<Item = &'a Str>) -> Vec<String> {
        names.map(|name| name.to_string()).collect()
    }

    #[test]
    fn rooms_come_and_go_with_their_members() {
        let mut rooms = Rooms::new();
        assert!(rooms.insert(1, "a") && rooms.insert(2, "b"));
        assert!(!rooms.insert(1, "c") && !rooms.insert(3, "b"));
        assert!(rooms.join(1, "x") && rooms.join(2, "x") && rooms.join(1, "y"));
        assert!(!rooms.join(1, "x") && !rooms.join(1, "a") && !rooms.join(9, "x"));
        assert_eq!(names(rooms.rooms_of(1)), ["a", "x", "y"]);
        assert_eq!(rooms.room_count(), 4);
        assert!(!rooms.leave(1, "a") && !rooms.leave(1, "nowhere") && !rooms.leave(9, "x"));
        assert!(rooms.leave(1, "x") && !rooms.leave(1, "x"));
        assert!(rooms.is_in(2, "x") && !rooms.is_in(1, "x") && rooms.is_in(1, "a"));
        assert_eq!((rooms.socket("b"), rooms.socket("x")), (Some(2), None));
        assert!(rooms.remove(2) && !rooms.remove(2));
        assert_eq!(names(rooms.room_names()), ["a", "y"]);
        assert_eq!(rooms.close("y"), 1);
        assert_eq!((rooms.close("y"), rooms.close("a")), (0, 0));
        assert!(rooms.remove(1));
        assert!(rooms.is_empty() && rooms.rooms.is_empty() && rooms.ids.is_empty());
    }

    #[test]
    fn somebody_else_may_join_the_room_of_an_id() {
        let mut rooms = Rooms::new();
        rooms.insert(1, "a");
        rooms.insert(2, "b");
        assert!(rooms.join(2, "a"));
        assert_eq!(rooms.room_count(), 2);
        let to_a = Selection::all().to("a");
        assert_eq!(rooms.select(&to_a).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rooms.close("a"), 1);
        assert_eq!(rooms.select(&to_a).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn selections_agree_with_an_account_without_sets() {
        let mut rooms = Rooms::new();
        let mut account: Vec<Vec<String>> = Vec::new();
        for socket in 0..40usize {
            let id = format!("id{socket}");
            rooms.insert(socket, &id);
            let mut joined = vec![id];
            for room in (0..6).filter(|room| (socket * 7 + room * socket) % (room + 2) == 0) {
                rooms.join(socket, &format!("r{room}"));
                joined.push(format!("r{room}"));
            }
            account.push(joined);
        }
        let some = ["r0", "r1", "r3", "r5", "id7", "nowhere"];
        for within in 0..64u32 {
            for except in [0, 1, 2, 8, 16, 24, 48] {
                let mut selection = Selection::all();
                for (bit, room) in some.iter().enumerate() {
                    if within >> bit & 1 == 1 {
                        selection = selection.to(*room);
                    }
                    if except >> bit & 1 == 1 {
                        selection = selection.except(*room);
                    }
                }
                let mut selected: Vec<_> = rooms.select(&selection).collect();
                let count = selected.len();
                selected.sort();
                selected.dedup();
                assert_eq!(selected.len(), count, "somebody was selected twice");
                let has = |joined: &[String], bits: u32| {
                    let named = some.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                    named
                        .into_iter()
                        .any(|(_, room)| joined.iter().any(|joined| joined == room))
                };
                let expected: Vec<_> = (0..40)
                    .filter(|&socket| (within == 0 || has(&account[socket], within)) && !has(&account[socket], except))
                    .collect();
                assert_eq!(selected, expected);
                for socket in 0..40 {
                    assert_eq!(selection.includes(rooms.rooms_of(socket)), expected.contains(&socket));
                }
            }
        }
    }
}
