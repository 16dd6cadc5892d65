//! Storage for objects, named by ids that are not reused.
//!
//! A slab hands out the key freed last first, so a key alone may come to name the next object. An
//! [`Id`] carries a generation beside the index: an id that outlived its object finds nothing.

use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use slab::Slab;

/// A type of objects that the reactor drives. Its kind makes a [`Token`] of an [`Id`].
///
/// A type of which there is only one object needs no arena that lives on:
/// `Arena::new().insert(object).token()` is a token for it.
pub trait Driven {
    /// Number of the type, below [`Token::KINDS`], which distinguishes its tokens from those of the
    /// program's other types.
    ///
    /// Nothing checks that kinds are unique: of two types with one kind, each is driven for events
    /// of the other. Keep all objects of one kind that one reactor drives in one arena: index and
    /// generation there are all that distinguishes their tokens.
    const KIND: u8;
}

/// Name of one object in one [`Arena`], valid for as long as the object lives.
pub struct Id<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Returns the object's place in its arena. The place is reused once the object is removed.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    pub(super) const fn from_parts(index: u32, generation: u32) -> Self {
        Self { index, generation, of: PhantomData }
    }

    pub(super) const fn generation(self) -> u32 {
        self.generation
    }

    /// Returns the same index and generation as an id of another type. A transport names its
    /// sockets in this way without exposing the type that it stores.
    pub(super) const fn retyped<U>(self) -> Id<U> {
        Id::from_parts(self.index, self.generation)
    }
}

impl<T: Driven> Id<T> {
    /// Returns the token that names the object to the reactor: in owners of sockets, deadlines,
    /// wakes and [`Event::Drive`](super::Event::Drive).
    #[must_use]
    pub const fn token(self) -> Token {
        const { assert!((T::KIND as usize) < Token::KINDS, "a kind is below Token::KINDS") };
        Token::new(T::KIND, self.index, self.generation)
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}
impl<T> Eq for Id<T> {}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// Name of a driven object of any kind: generation, kind and index in one word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    /// Number of kinds of objects that one program may have.
    pub const KINDS: usize = 16;
    const INDEX_BITS: u32 = 28;
    const INDEX_MASK: u64 = (1 << Self::INDEX_BITS) - 1;

    pub(super) const fn new(kind: u8, index: u32, generation: u32) -> Self {
        Self(
            (generation as u64) << 32
                | (kind as u64) << Self::INDEX_BITS
                | (index as u64 & Self::INDEX_MASK),
        )
    }

    /// Returns the [`Driven::KIND`] of the object's type.
    #[must_use]
    pub const fn kind(self) -> u8 {
        ((self.0 >> Self::INDEX_BITS) & 0xf) as u8
    }

    /// Returns the object's id if the token is of kind `T`, `None` otherwise.
    #[must_use]
    pub fn id<T: Driven>(self) -> Option<Id<T>> {
        (self.kind() == T::KIND).then(|| Id::from_parts(self.index(), self.generation()))
    }

    pub(super) const fn index(self) -> u32 {
        (self.0 & Self::INDEX_MASK) as u32
    }

    pub(super) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}.{}", self.kind(), self.index(), self.generation())
    }
}

/// Objects of one type, each with its own [`Id`].
#[derive(Debug)]
pub struct Arena<T> {
    slots: Slab<(u32, T)>,
    /// Objects that each place has held so far: the generation of the next object there.
    uses: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Slab::new(), uses: Vec::new() }
    }
}

impl<T> Arena<T> {
    /// Creates an empty arena.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores `object` and returns its id.
    ///
    /// # Panics
    /// Panics if the arena holds 2²⁸ - 1 objects: its owner has to limit them long before.
    pub fn insert(&mut self, object: T) -> Id<T> {
        self.insert_with(|_| object)
    }

    /// Stores the object that `make` returns. `make` is given the object's id, for an object that
    /// has to know it.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    pub fn insert_with(&mut self, make: impl FnOnce(Id<T>) -> T) -> Id<T> {
        let Ok(id) = self.try_insert_with(|id| Ok::<_, Infallible>(make(id)));
        id
    }

    /// Stores the object that `make` returns, unless that fails.
    ///
    /// # Errors
    /// Returns the error of `make` and stores nothing.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    pub fn try_insert_with<E>(
        &mut self,
        make: impl FnOnce(Id<T>) -> Result<T, E>,
    ) -> Result<Id<T>, E> {
        let entry = self.slots.vacant_entry();
        let index = u32::try_from(entry.key()).ok().filter(|&i| u64::from(i) < Token::INDEX_MASK);
        let index = index.expect("an arena holds fewer than 2^28 objects");
        if self.uses.len() <= entry.key() {
            self.uses.resize(entry.key() + 1, 0);
        }
        let uses = &mut self.uses[entry.key()];
        let id = Id::from_parts(index, *uses);
        *uses = uses.wrapping_add(1); // even if `make` fails: it may have given the id away
        entry.insert((id.generation, make(id)?));
        Ok(id)
    }

    /// Returns the object, or `None` if it was removed.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.slots.get(id.index()).filter(|slot| slot.0 == id.generation).map(|slot| &slot.1)
    }

    /// Returns the object to change, or `None` if it was removed.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.slots
            .get_mut(id.index())
            .filter(|slot| slot.0 == id.generation)
            .map(|slot| &mut slot.1)
    }

    /// Removes and returns the object, or returns `None` if it was removed before. Its id finds
    /// nothing from now on.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        self.get(id)?;
        Some(self.slots.remove(id.index()).1)
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns true if there are no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns all objects with their ids, in the order of their places.
    #[expect(clippy::cast_possible_truncation, reason = "insert bounds the index")]
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.slots.iter().map(|(i, (generation, t))| (Id::from_parts(i as u32, *generation), t))
    }

    /// Returns all objects with their ids, to change, in the order of their places.
    #[expect(clippy::cast_possible_truncation, reason = "insert bounds the index")]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Id<T>, &mut T)> {
        self.slots.iter_mut().map(|(i, (generation, t))| (Id::from_parts(i as u32, *generation), t))
    }
}

/// Accesses an object that is certain to exist, because its owner keeps it for as long as the id is
/// held.
///
/// # Panics
/// Panics if the object was removed; [`get`](Arena::get) returns `None` then.
impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;

    fn index(&self, id: Id<T>) -> &T {
        self.get(id).expect("the object is still in the arena")
    }
}

impl<T> IndexMut<Id<T>> for Arena<T> {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        self.get_mut(id).expect("the object is still in the arena")
    }
}

/// A value for each token, kept by code that does not own the objects.
///
/// A place belongs to the newest generation that has used it. An older token is stale and gets no
/// value; a newer one starts with the default.
#[derive(Debug)]
pub(super) struct TokenMap<S> {
    kinds: [Vec<Option<(u32, S)>>; Token::KINDS],
    slots: usize,
}

impl<S: Default> TokenMap<S> {
    pub(super) fn new() -> Self {
        Self { kinds: std::array::from_fn(|_| Vec::new()), slots: 0 }
    }

    /// Returns the number of places, an upper bound of the values that [`iter`](Self::iter)
    /// returns.
    pub(super) const fn places(&self) -> usize {
        self.slots
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Token, &S)> {
        self.kinds.iter().zip(0..).flat_map(|(places, kind)| {
            places.iter().zip(0..).filter_map(move |(place, index)| {
                let (generation, value) = place.as_ref()?;
                Some((Token::new(kind, index, *generation), value))
            })
        })
    }

    pub(super) fn get_mut(&mut self, token: Token) -> Option<&mut S> {
        let places = &mut self.kinds[usize::from(token.kind())];
        let index = token.index() as usize;
        if index >= places.len() {
            self.slots += index + 1 - places.len();
            places.resize_with(index + 1, || None); // its first token owns it, however old
        }
        let place = places[index].get_or_insert_with(|| (token.generation(), S::default()));
        let age = token.generation().wrapping_sub(place.0);
        if age != 0 {
            if age > u32::MAX / 2 {
                return None;
            }
            *place = (token.generation(), S::default());
        }
        Some(&mut place.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_finds_the_object_of_an_id() {
        let mut arena = Arena::new();
        let id = arena.insert(1);
        arena[id] += 1;
        assert_eq!(arena[id], 2);
    }

    #[test]
    #[should_panic = "the object is still in the arena"]
    fn index_panics_once_the_object_is_removed() {
        let mut arena = Arena::new();
        let id = arena.insert(1);
        arena.remove(id);
        let _ = arena[id];
    }

    struct Thing;
    impl Driven for Thing {
        const KIND: u8 = 5;
    }

    #[test]
    fn id_of_removed_object_finds_nothing() {
        let mut arena = Arena::new();
        let first = arena.insert("first");
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second");
        assert_eq!(first.index(), second.index(), "the slab reuses the place");
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
    }

    #[test]
    fn token_converts_back_to_id_of_its_own_kind_only() {
        struct Other;
        impl Driven for Other {
            const KIND: u8 = 6;
        }
        let mut arena = Arena::new();
        arena.insert(Thing);
        let id = arena.insert(Thing);
        assert_eq!(id.token().id::<Thing>(), Some(id));
        assert_eq!(id.token().id::<Other>(), None);
    }

    #[test]
    fn unused_place_accepts_any_generation() {
        let mut map = TokenMap::<u32>::new();
        assert!(map.get_mut(Token::new(1, 7, 5)).is_some());
        assert!(map.get_mut(Token::new(1, 3, 2)).is_some(), "older, and the first at its place");
        let found: Vec<Token> = map.iter().map(|(token, _)| token).collect();
        assert_eq!(found, [Token::new(1, 3, 2), Token::new(1, 7, 5)]);
        assert_eq!(map.places(), 8);
    }

    #[test]
    fn generation_counts_uses_of_its_own_place() {
        // One counter for all places would make an id at a rarely used place look old.
        let mut arena = Arena::new();
        let (busy, seldom) = (arena.insert(0), arena.insert(0));
        arena.remove(seldom);
        arena.remove(busy);
        for n in 1..100 {
            let id = arena.insert(n);
            assert_eq!(id.index(), busy.index());
            arena.remove(id);
        }
        arena.insert(100);
        assert_eq!(arena.insert(101), Id::from_parts(1, seldom.generation() + 1));
    }

    #[test]
    fn id_of_object_that_failed_to_build_is_not_reused() {
        let mut arena = Arena::new();
        let told = arena.try_insert_with(Err::<(), _>).unwrap_err();
        assert_ne!(arena.insert(()), told);
    }

    #[test]
    fn place_belongs_to_newest_generation() {
        let mut map = TokenMap::<u32>::new();
        let (old, new) = (Token::new(1, 7, u32::MAX), Token::new(1, 7, 2));
        *map.get_mut(old).unwrap() = 9;
        assert_eq!(
            map.get_mut(new),
            Some(&mut 0),
            "a newer generation starts with the default, across the wrap"
        );
        assert_eq!(map.get_mut(old), None, "the older generation is stale from then on");
    }
}
