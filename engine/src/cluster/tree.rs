//! Which nodes are joined: disjoint sets whose root is always the smallest member, so that the result does not depend
//! on the order of joining.

/// Disjoint sets of `0..n`.
#[derive(Debug)]
pub(super) struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    pub(super) fn new(n: usize) -> Self {
        Self { parent: (0..n).collect() }
    }

    /// The smallest member of the set that holds `node`.
    pub(super) fn root(&mut self, mut node: usize) -> usize {
        while self.parent[node] != node {
            self.parent[node] = self.parent[self.parent[node]];
            node = self.parent[node];
        }
        node
    }

    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// The sets, each ascending, in order of their smallest members.
    pub(super) fn groups(&mut self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); self.parent.len()];
        for node in 0..self.parent.len() {
            let root = self.root(node);
            groups[root].push(node);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}
