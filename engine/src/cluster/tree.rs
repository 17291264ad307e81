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

    /// The sets of several, each ascending, in order of their smallest members.
    pub(super) fn groups(&mut self) -> Vec<Vec<usize>> {
        let mut sizes = vec![0_u32; self.parent.len()];
        for node in 0..self.parent.len() {
            sizes[self.root(node)] += 1;
        }
        let mut joined: Vec<usize> = (0..self.parent.len()).filter(|node| sizes[self.root(*node)] > 1).collect();
        joined.sort_by_key(|node| self.root(*node));
        let roots: Vec<usize> = joined.iter().map(|node| self.root(*node)).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, node) in joined.into_iter().enumerate() {
            match groups.last_mut().filter(|_| at > 0 && roots[at] == roots[at - 1]) {
                Some(group) => group.push(node),
                None => groups.push(vec![node]),
            }
        }
        groups
    }
}
