"""The tables of the source that cursor-sim simulates. Column names are the source's own.

`docs/source.md` describes how a listing becomes complete.
"""

from millrace.tables.table import (
    COUNT,
    FLAG,
    INSTANT,
    JSON,
    RATIO,
    TEXT,
    TEXTS,
    ChildListing,
    PageNumberListing,
    SinglePageListing,
    Table,
    columns_of,
)

REPOS = Table(
    name="repos",
    columns=columns_of(
        full_name=TEXT,
        default_branch=TEXT,
        open_pull_requests_count=COUNT,
        total_pull_requests_count=COUNT,
    ),
    key=("full_name",),
    bulk=SinglePageListing("/repos"),
)

COMMITS = Table(
    name="commits",
    columns=columns_of(
        commitHash=TEXT,
        userId=TEXT,
        userEmail=TEXT,
        userName=TEXT,
        repoName=TEXT,
        branchName=TEXT,
        isPrimaryBranch=FLAG,
        totalLinesAdded=COUNT,
        totalLinesDeleted=COUNT,
        tabLinesAdded=COUNT,
        tabLinesDeleted=COUNT,
        composerLinesAdded=COUNT,
        composerLinesDeleted=COUNT,
        nonAiLinesAdded=COUNT,
        nonAiLinesDeleted=COUNT,
        message=TEXT,
        commitTs=INSTANT,
        createdAt=INSTANT,
    ),
    key=("commitHash", "repoName", "userId"),  # a hash alone repeats: amended commits, forks
    key_may_be_null=("repoName",),  # privacy mode leaves it out
    version_column="createdAt",
    lookback_days=7,  # a commit is ingested later than it was made
    bulk=PageNumberListing(
        "/analytics/ai-code/commits",
        page_size=1000,
        size_parameter="pageSize",
        rows="items",
        total="totalCount",
        since="startDate",
        until="endDate",
        dated="commitTs",
        is_narrow=True,  # thirty days by default
    ),
)

PULL_REQUESTS = Table(
    name="pull_requests",
    columns=columns_of(
        id=COUNT,
        number=COUNT,
        title=TEXT,
        body=TEXT,
        state=TEXT,
        author_id=TEXT,
        author_email=TEXT,
        author_name=TEXT,
        repo_name=TEXT,
        base_branch=TEXT,
        head_branch=TEXT,
        reviewers=TEXTS,
        labels=TEXTS,
        additions=COUNT,
        deletions=COUNT,
        initial_additions=COUNT,
        changed_files=COUNT,
        commit_count=COUNT,
        ai_ratio=RATIO,
        tab_lines=COUNT,
        composer_lines=COUNT,
        commit_ids=TEXTS,
        created_at=INSTANT,
        updated_at=INSTANT,
        merged_at=INSTANT,
        closed_at=INSTANT,
        first_commit_at=INSTANT,
        first_review_at=INSTANT,
        last_commit_at=INSTANT,
        was_reverted=FLAG,
        is_bug_fix=FLAG,
    ),
    key=("repo_name", "number"),
    version_column="updated_at",
    lookback_days=14,  # reverts and edits that move no count
    bulk=PageNumberListing(
        "/analytics/github/prs",
        page_size=100,
        size_parameter="page_size",
        rows="data",
        total="pagination.total",
        since="start_date",
        until="end_date",
        dated="created_at",
        by=("author", "author_email"),
        state_parameter="status",
        states=("open", "closed", "merged"),
    ),
    plain=ChildListing(
        "/repos/{full_name}/pulls",
        paged=True,
        total="total_pull_requests_count",
        parameters=(("state", "all"),),
    ),
)

REVIEWS = Table(
    name="reviews",
    columns=columns_of(
        id=COUNT,
        pr_id=COUNT,
        reviewer=TEXT,
        state=TEXT,
        submitted_at=INSTANT,
        body=TEXT,
        comments=JSON,
    ),
    key=("pr_id", "id"),  # a server that regenerates its data assigns the same ids again
    version_column="submitted_at",
    bulk=PageNumberListing(
        "/analytics/github/reviews",
        page_size=100,
        size_parameter="page_size",
        rows="data",
        total="pagination.total",
        by=("reviewer", "reviewer"),
    ),
    plain=ChildListing("/repos/{repo_name}/pulls/{number}/reviews", paged=False, sets=(("pr_id", "id"),)),
)

CURSOR_SIM: dict[str, Table] = {table.name: table for table in (REPOS, COMMITS, PULL_REQUESTS, REVIEWS)}
"""Its tables, each after its parent."""
