"""`tpld view`: a local web page to look into the stores of an experiment.

    catalogue   which methods, seeds and rounds a results folder holds
    rounds      the stores of one round, and its labels as stored or with other keys
    scan        one walk over a round: figures of every image, and the counts behind any λ
    listing     sorting, filtering and paging of the images
    layers      one layer of one image as a PNG
    details     figures of one image, and of one pixel
    app         the addresses of the page; static/ is what the browser runs
    serve       the server, on loopback

Nothing here imports torch.
"""
