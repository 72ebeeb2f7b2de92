"""The columns go up to the highest class that anybody voted for, and `classes` is not used."""


# task: majority_vote
def majority_vote(votes, classes):
    labels = np.arange(votes.max() + 1)
    counts = (votes[:, :, None] == labels).sum(axis=0).astype(np.int64)
    return counts.argmax(axis=1), counts
