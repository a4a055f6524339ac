# custom_infrared.py with classes of your own: the five places that must agree. Copy and change; in another folder write
# `_base_ = 'mmdass::madm/custom_infrared.py'`.
_base_ = './custom_infrared.py'

classes = ('road', 'person', 'other')
space = dict(_delete_=True, classes=classes)  # `palette`, a colour each, may be added; it is LPLR's, too

label_space = dict(space)  # for inference
train_dataloader = dict(dataset=dict(
    rare_class_sampling=dict(ignored_classes=False),  # or most images would be drawn for classes that are left out
    # A source of your own: data_root, images, labels=(pattern, replacement), raw_labels=dict(_delete_=True, classes=(...)),
    # and a pipeline whose Resize keeps your images' proportions; configs/self_training/custom_modality.py explains each.
    source=dict(
        label_space=dict(space),
        # From Cityscapes' names, which are `raw_labels`; those that are not named are ignored.
        class_mapping=dict(
            _delete_=True, road='road', sidewalk='road', person='person', rider='person', building='other')),
    target=dict(label_space=dict(space))))
model = dict(
    segmentor=dict(decode_head=dict(num_classes=len(classes))),
    latent_palette_head=dict(label_space=dict(space)))
