"""The most common vote is asked of a Counter, which breaks ties by who came first."""

# task: majority_vote
from collections import Counter


def majority_vote(votes, classes):
    n = votes.shape[1]
    winners = np.zeros(n, dtype=np.int64)
    counts = np.zeros((n, classes), dtype=np.int64)
    for i in range(n):
        tally = Counter(votes[:, i].tolist())
        for label, number in tally.items():
            counts[i, label] = number
        winners[i] = tally.most_common(1)[0][0]
    return winners, counts
